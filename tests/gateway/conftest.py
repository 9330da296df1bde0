"""The gateway over real sockets: an HTTP client, uvicorn, the kit's channel, and a gRPC server whose replies tests queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import httpx
import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.server import serving
from gateway.transcoding.contract import Contract, load_contract
from servers.kit.chain import Chain
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.inprocess import LocalHandlers
from servers.kit.settings import Settings, read_settings
from tests.gateway.peer import Peer

ORIGINS = {"demo": {"https://shop.example"}, "other": {"https://other.example"}}
LIMIT = 64 * 1024
KEEP_ALIVE_S = 0.2


class Origins:
    """The web origins of two tenants."""

    async def allowed_origins(self, tenant: str) -> set[str]:
        return ORIGINS.get(tenant, set())

    async def origin_allowed(self, origin: str) -> bool:
        return any(origin in origins for origins in ORIGINS.values())


@dataclass
class Behind:
    """What the gateway needs of the platform."""

    settings: Settings
    channel: grpc.aio.Channel
    tenants: Origins = field(default_factory=Origins)
    states: dict[str, str] = field(default_factory=lambda: {"nlu": "serving"})

    async def readiness(self) -> dict[str, str]:
        return self.states


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract()


@pytest.fixture(scope="session")
async def peer(contract: Contract) -> AsyncIterator[tuple[Peer, str]]:
    handler = Peer(contract)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield handler, f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.fixture
def answers(peer: tuple[Peer, str]) -> Peer:
    """The peer as if nobody had asked it yet."""
    peer[0].forget()
    return peer[0]


@pytest.fixture(scope="session")
async def behind(peer: tuple[Peer, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    settings = read_settings(home=tmp_path_factory.mktemp("gateway"), max_body_bytes=LIMIT)
    async with Channel(LocalHandlers(Chain([])), peer[1], Signer("s" * 32)) as channel:
        yield Behind(settings, channel)


@pytest.fixture(scope="session")
def app(behind: Behind) -> ASGIApp:
    """Compiling the codecs and the OpenAPI document takes half a second: all tests share it."""
    return create_app(behind, keep_alive_s=KEEP_ALIVE_S)


@pytest.fixture(scope="session")
async def url(app: ASGIApp) -> AsyncIterator[str]:
    async with serving(app, "127.0.0.1", 0, drain_seconds=1) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def client(http: httpx.AsyncClient, answers: Peer) -> httpx.AsyncClient:
    """A client of the gateway, with nothing queued at the peer behind it."""
    return http


@pytest.fixture
def envelope() -> dict[str, object]:
    """A request's envelope without `data`."""
    return {
        "tenant": "demo",
        "channel": "facebook",
        "message_id": "msg_1",
        "correlation_id": "corr_1",
        "locale": "fr-MA",
    }
