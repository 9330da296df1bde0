"""The echo service served, and its stub over the kit's channel: through a socket, or in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from salambot.common.v1 import envelope_pb2

from servers.kit.chain import Chain
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.health import Health, Watched
from servers.kit.inprocess import LocalHandlers
from servers.kit.server import Server
from tests.conftest import SECRET
from tests.kit.echo.service import EchoService

SOCKET, IN_PROCESS = "socket", "in process"


@dataclass
class Wire:
    """One transport: the service behind it, the stub before it, and the credential of a client outside."""

    name: str
    pb: ModuleType
    service: EchoService
    channel: Channel
    stub: Any
    tenant: str
    key: str
    server: Server | None = None

    @property
    def port(self) -> int:
        """Where the service listens."""
        return self.server.port if self.server is not None else 0

    @property
    def outside(self) -> list[tuple[str, str]]:
        """Metadata of a call from outside."""
        return [("authorization", f"Bearer {self.key}")]

    def request(self, text: str = "salam", *, times: int = 0, **envelope: Any) -> Any:
        """A request as a client may send it: what the contract lets it leave out is left out."""
        named = {"tenant": self.tenant, "channel": envelope_pb2.CHANNEL_WEBCHAT, "message_id": "m1", **envelope}
        return self.pb.EchoRequest(
            envelope=envelope_pb2.Envelope(**named), data=self.pb.EchoInput(text=text, times=times)
        )


@dataclass(frozen=True)
class Echo:
    """The generated code of the echo service."""

    pb: ModuleType
    grpc: ModuleType

    @asynccontextmanager
    async def open(self, transport: str, chain: Chain, tenant: str, key: str) -> AsyncIterator[Wire]:
        """Serves a new servicer."""
        service = EchoService(self.pb, self.grpc.EchoServiceServicer())
        handlers, server, port = LocalHandlers(chain), None, 0
        async with AsyncExitStack() as stack:
            if transport == SOCKET:
                server = Server(chain)
                self.grpc.add_EchoServiceServicer_to_server(service, server.grpc)
                name = "salambot.echo.v1.EchoService"
                await server.start("127.0.0.1", 0, [name], Health([Watched("echo", name, ())], {}))
                stack.push_async_callback(server.stop, 0)
                port = server.port
            else:
                self.grpc.add_EchoServiceServicer_to_server(service, handlers)
            channel = await stack.enter_async_context(Channel(handlers, f"127.0.0.1:{port}", Signer(SECRET)))
            stub = self.grpc.EchoServiceStub(channel)
            yield Wire(transport, self.pb, service, channel, stub, tenant, key, server)
