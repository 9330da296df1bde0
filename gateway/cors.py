"""Cross-origin requests, as each tenant allows them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import structlog

from gateway.exchange import Exchange, Headers
from servers.kit.errors import SalamError

_ALLOWED_HEADERS = b"authorization, content-type, x-request-id, x-timeout-ms"
_EXPOSED_HEADERS = b"retry-after"
_REMEMBERED_S = b"600"
_VARY = (b"vary", b"origin")


class Tenants(Protocol):
    """What the gateway asks of the tenants."""

    async def allowed_origins(self, tenant: str) -> Collection[str]:
        """The web origins from which a tenant's API may be called; `*` for any."""

    async def origin_allowed(self, origin: str) -> bool:
        """Whether any tenant allows this web origin."""


class Cors:
    """Tells browsers which pages may read a reply.

    A preflight brings no credential, so it is answered for an origin that any tenant allows; whether the page may read
    the reply is then decided by the tenant of the reply itself.
    """

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def preflight(self, exchange: Exchange, methods: Collection[str]) -> None:
        """Answers an OPTIONS request; without permission the browser gets an answer that permits nothing."""
        headers = await self.headers_of_error(exchange)
        if len(headers) > 1:
            headers += [
                (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", _REMEMBERED_S),
            ]
        await exchange.start(204, headers)
        await exchange.write(b"", more=False)

    async def headers(self, exchange: Exchange, tenant: str) -> Headers:
        """The headers of a tenant's reply to a request from a page."""
        origin = exchange.origin
        if origin is None:
            return []
        try:
            allowed = await self._tenants.allowed_origins(tenant)
        except SalamError as error:
            structlog.get_logger().warning("origins of the tenant unknown, page refused", error=error.message)
            allowed = ()
        return _permission(origin, origin in allowed or "*" in allowed)

    async def headers_of_error(self, exchange: Exchange) -> Headers:
        """The headers of a reply that belongs to no tenant: any tenant's pages may read it."""
        origin = exchange.origin
        if origin is None:
            return []
        try:
            allowed = await self._tenants.origin_allowed(origin)
        except SalamError as error:
            structlog.get_logger().warning("allowed origins unknown, page refused", error=error.message)
            allowed = False
        return _permission(origin, allowed)


def _permission(origin: str, allowed: bool) -> Headers:
    if not allowed:
        return [_VARY]
    return [
        _VARY,
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
    ]
