"""`/openapi.json` and `/docs`: the API's description and a page to read and try it, nothing of it from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from swagger_ui_bundle import swagger_ui_path

_PAGE = Path(__file__).parent / "static" / "docs"
_FILES = {
    "swagger-ui.css": swagger_ui_path / "swagger-ui.css",
    "swagger-ui-bundle.js": swagger_ui_path / "swagger-ui-bundle.js",
    "favicon-32x32.png": swagger_ui_path / "favicon-32x32.png",
    "docs.js": _PAGE / "docs.js",
}
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
        return FileResponse(_PAGE / "index.html", headers=_HEADERS)

    async def file(request: Request) -> Response:
        path = _FILES.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, headers=_HEADERS)

    return [Route("/openapi.json", document), Route("/docs", page), Route("/docs/{name}", file)]
