"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import grpc
import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.client_address import Proxies
from gateway.cors import Cors, Tenants
from gateway.documentation import documentation
from gateway.endpoint import Edge, Endpoint, StreamEndpoint, UnaryEndpoint
from gateway.errors import MethodNotAllowed, fault
from gateway.exchange import ClientGone, Exchange, raw_path
from gateway.operations import operations
from gateway.site import create_site
from gateway.tracing import traced
from gateway.transcoding.codec import Codec
from gateway.transcoding.contract import Contract, Rpc, load_contract
from gateway.transcoding.openapi import openapi_document
from gateway.transcoding.router import Router
from gateway.uploads import UploadEndpoint, upload_rpc
from servers.kit.errors import SalamError, UpstreamError
from servers.kit.settings import Settings

KEEP_ALIVE_S = 15.0
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Platform(Protocol):
    """What the gateway needs of the platform behind it."""

    @property
    def settings(self) -> Settings:
        """The settings of the installation."""

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel to all components; its calls raise SalamError, and closing a stream cancels it."""

    @property
    def tenants(self) -> Tenants:
        """The tenants, asked for their web origins."""

    async def readiness(self) -> dict[str, str]:
        """Each component's state: `serving`, or what it lacks."""


def create_app(platform: Platform, routes: Sequence[BaseRoute] = (), keep_alive_s: float = KEEP_ALIVE_S) -> ASGIApp:
    """The application: every annotated RPC of the contract, its documentation, operations, and further `routes`.

    Raises ContractError, NoJsonForm or ValueError when the contract asks for something REST cannot serve.
    """
    contract = load_contract()
    cors = Cors(platform.tenants)
    settings = platform.settings
    proxies = Proxies(settings.trusted_proxies)
    edge = Edge(Codec(), platform.channel, cors, proxies, settings.max_body_bytes, keep_alive_s)
    uploads = upload_rpc(contract)
    router = _router(contract, uploads, edge)
    metrics = CollectorRegistry()
    site = create_site(
        [*operations(platform.readiness, metrics), *documentation(openapi_document(contract, [uploads])), *routes]
    )
    gateway = Gateway(router, cors, site, metrics)
    return traced(gateway, router) if settings.otlp_endpoint else gateway


class Gateway:
    """Sends the contract's requests straight to their endpoints, and all others to the site."""

    def __init__(self, router: Router[Endpoint], cors: Cors, site: ASGIApp, metrics: CollectorRegistry) -> None:
        self._router = router
        self._cors = cors
        self._site = site
        self._seconds = Histogram(
            "salambot_http_seconds",
            "Duration of REST requests to RPCs, in seconds.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=metrics,
        )
        self._observe: dict[tuple[Endpoint, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection's request, as ASGI has it."""
        if scope["type"] == "http":
            path = raw_path(scope)
            found = self._router.find(scope["method"], path)
            if found is not None:
                await self._serve(found.endpoint, found.values, Exchange(scope, receive, send))
                return
            methods = self._router.methods(path)
            if methods:
                await self._other_method(methods, Exchange(scope, receive, send))
                return
        await self._site(scope, receive, send)

    async def _serve(self, endpoint: Endpoint, values: tuple[str, ...], exchange: Exchange) -> None:
        began = time.perf_counter()
        try:
            await endpoint.serve(exchange, values)
        except SalamError as error:
            await exchange.fail(error, await self._cors.headers_of_error(exchange))
        except ClientGone:
            return
        except asyncio.CancelledError:
            # The server is stopping and has waited long enough.
            if not exchange.status:
                await exchange.fail(UpstreamError("the server is stopping; send the request again"), [])
            raise
        except Exception:
            structlog.get_logger().exception(
                "a request broke",
                route=endpoint.binding.template.documented,
                correlation_id=exchange.correlation_id,
            )
            if exchange.status:
                raise
            await exchange.fail(fault(), await self._cors.headers_of_error(exchange))
        self._observer(endpoint, exchange.status).observe(time.perf_counter() - began)

    def _observer(self, endpoint: Endpoint, status: int) -> Histogram:
        key = (endpoint, status)
        observer = self._observe.get(key)
        if observer is None:
            binding = endpoint.binding
            observer = self._seconds.labels(binding.verb, binding.template.documented, str(status))
            self._observe[key] = observer
        return observer

    async def _other_method(self, methods: set[str], exchange: Exchange) -> None:
        if exchange.scope["method"] == "OPTIONS" and b"access-control-request-method" in exchange.headers:
            await self._cors.preflight(exchange, methods)
        else:
            await exchange.fail(MethodNotAllowed(methods), await self._cors.headers_of_error(exchange))


def _router(contract: Contract, uploads: Rpc, edge: Edge) -> Router[Endpoint]:
    endpoints: list[Endpoint] = [UploadEndpoint(uploads, binding, edge) for binding in uploads.bindings]
    for rpc in contract.rpcs():
        kind = StreamEndpoint if rpc.descriptor.server_streaming else UnaryEndpoint
        endpoints.extend(kind(rpc, binding, edge) for binding in rpc.bindings)
    return Router((item.binding.verb, item.binding.template, item) for item in endpoints)
