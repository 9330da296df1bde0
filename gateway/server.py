"""The gateway on a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Leaves the process's signals to the composition root, and tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then sets `ready`."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures nothing."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, drain_seconds: float) -> AsyncIterator[int]:
    """Serves `app` and yields the port it listens on; 0 takes a free one.

    On the way out it takes no more connections and lets running requests finish for `drain_seconds`. Raises OSError
    when the address is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Inherited by accepted connections: asyncio's own loop sets it only where the socket names its protocol, and
    # replies of two packets then wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # the gateway reads X-Forwarded-For itself
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await server.ready.wait()
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        listening.close()
