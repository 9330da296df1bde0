"""What the gateway serves beside the contract's RPCs: pages and operations, through Starlette's router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import MethodNotAllowed, NoSuchPath, fault, render
from gateway.exchange import SECURITY_HEADERS
from servers.kit.errors import SalamError


def create_site(routes: Sequence[BaseRoute]) -> ASGIApp:
    """The routes with the contract's errors and the security headers around them; a page's own policy stays."""
    handlers: dict[Any, Any] = {404: _no_such_path, 405: _wrong_method, SalamError: _refused, Exception: _failed}
    site = Starlette(routes=routes, exception_handlers=handlers)

    async def secured(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(item for item in SECURITY_HEADERS if item[0] not in given)]
            await send(message)

        await site(scope, receive, send_secured)

    return secured


async def _no_such_path(_: Request, __: Exception) -> Response:
    return _rendered(NoSuchPath())


async def _wrong_method(_: Request, error: Any) -> Response:
    return _rendered(MethodNotAllowed(error.headers["Allow"].split(", ")))


async def _refused(_: Request, error: SalamError) -> Response:
    return _rendered(error)


async def _failed(_: Request, __: Exception) -> Response:
    return _rendered(fault())


def _rendered(error: SalamError) -> Response:
    status, headers, body = render(error, None)
    named = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, headers={**named, "cache-control": "no-store"}, media_type="application/json")
