"""`/openapi.json` and `/docs`: the API's description and a page to read and try it, nothing of it from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_STATIC = Path(__file__).parent / "static"
_PAGE = _STATIC / "docs" / "index.html"
_FILES = {
    path.name: path
    for path in (
        _STATIC / "swagger-ui" / "swagger-ui.css",
        _STATIC / "swagger-ui" / "swagger-ui-bundle.js",
        _STATIC / "docs" / "docs.css",
        _STATIC / "docs" / "docs.js",
        _STATIC / "docs" / "favicon.svg",
    )
}
# Swagger UI sets its styles through the CSSOM, which this permits: nothing inline is needed.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"content-security-policy": _POLICY, "cache-control": "no-cache"}


def documentation(openapi: bytes) -> list[Route]:
    """The routes of the documentation; `openapi` is the document as JSON."""

    async def document(_: Request) -> Response:
        return Response(openapi, media_type="application/json", headers={"cache-control": "no-cache"})

    async def page(_: Request) -> Response:
        return FileResponse(_PAGE, headers=_HEADERS)

    async def file(request: Request) -> Response:
        path = _FILES.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, headers=_HEADERS)

    return [Route("/openapi.json", document), Route("/docs", page), Route("/docs/{name}", file)]
