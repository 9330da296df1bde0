"use strict";

// This Swagger UI reads OpenAPI 3.0 and looks at the version before anything else. The document uses of 3.1 only what
// reads the same in 3.0, so the page shows it under that label; /openapi.json itself stays 3.1.
fetch("/openapi.json")
  .then((response) => response.json())
  .then((document) => {
    SwaggerUIBundle({
      spec: { ...document, openapi: "3.0.3" },
      dom_id: "#api",
      deepLinking: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      persistAuthorization: false,
      validatorUrl: null,
    });
  })
  .catch((error) => {
    document.getElementById("api").textContent = `The description of the API could not be read: ${error}`;
  });
