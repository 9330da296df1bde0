"""The composition root: settings and a choice of components in, a serving process out."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from prometheus_client import start_http_server

from servers.kit.embedded.progress import Progress
from servers.kit.embedded.stack import EmbeddedStack
from servers.kit.health import Health, Watched, peer
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.postgres import migrate
from servers.kit.postgres.pool import APP_ROLE
from servers.kit.server import Server
from servers.kit.settings import Settings
from servers.kit.telemetry import set_up_logging, set_up_tracing
from servers.registry import COMPONENTS, Component
from servers.state import State, told

SERVERS = Path(__file__).parent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that serves: its platform and the ports it listens on (0: not served)."""

    platform: Platform
    http_port: int
    grpc_port: int


@asynccontextmanager
async def running(
    settings: Settings, components: Sequence[Component], *, gateway: bool, grpc: bool, progress: Progress
) -> AsyncIterator[Running]:
    """Serves `components`, with the gateway and the gRPC server as asked, until the block is left.

    Starts the embedded services that no URL replaces, migrates the schema, opens the components, then listens; at the
    end tells its watchers, drains, and closes in the opposite order.
    """
    service = "all" if len(components) == len(COMPONENTS) else "-".join(item.name for item in components) or "gateway"
    set_up_logging(settings)
    async with AsyncExitStack() as stack:
        tracing = set_up_tracing(settings, service)
        if tracing is not None:
            stack.callback(tracing.shutdown)
        needs = {need for component in components for need in (*component.needs, *component.uses)}
        addresses = await _addresses(stack, settings, needs, progress)
        platform = await stack.enter_async_context(
            open_platform(settings, addresses, _internal_secret(settings), needs)
        )

        progress("components", "Opening components")
        server = Server(platform.chain)
        for component in components:
            servicer = (
                await stack.enter_async_context(component.open(platform)) if component.built else component.unbuilt()
            )
            component.add(servicer, platform.handlers)
            component.add(servicer, server.grpc)
        health = _health(components, platform)
        platform.health = health
        await health.refresh()
        watching = asyncio.create_task(health.run())
        stack.callback(watching.cancel)
        await stack.enter_async_context(platform.jobs.running())

        if grpc:
            await server.start(settings.grpc_host, settings.grpc_port, [item.full_name for item in components], health)
            stack.push_async_callback(server.stop, settings.drain_seconds)
        http_port = await _listen(stack, platform) if gateway else 0
        if settings.metrics_port is not None and not gateway:  # the gateway serves its own
            metrics, _ = start_http_server(settings.metrics_port, settings.grpc_host)
            stack.callback(metrics.shutdown)
        stack.push_async_callback(health.drain)
        state = State(
            pid=os.getpid(),
            http=f"http://{settings.http_host}:{http_port}" if gateway else "",
            grpc=f"{settings.grpc_host}:{server.port}" if grpc else "",
            database=addresses.database,
            redis=addresses.redis,
            triton=addresses.triton,
            without_triton=addresses.without_triton,
        )
        # What is there by now stays: the collector need not look through it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        stack.callback(gc.unfreeze)
        with told(settings.home, state):
            yield Running(platform, http_port, server.port)


def _health(components: Sequence[Component], platform: Platform) -> Health:
    if components:
        watched = [Watched(item.name, item.full_name, item.needs, item.built) for item in components]
        return Health(watched, platform.checks())
    # A gateway alone is as ready as the components it sends requests to.
    watched = [Watched(item.name, item.full_name, (item.name,), item.built) for item in COMPONENTS]
    peers = platform.settings.peers
    return Health(
        watched,
        {item.name: peer(peers.format(component=item.name), item.full_name) for item in COMPONENTS if item.built},
    )


async def _addresses(
    stack: AsyncExitStack, settings: Settings, needs: Collection[str], progress: Progress
) -> Addresses:
    # A process without models to ask starts no server for them.
    wanted = settings if "inference" in needs else settings.model_copy(update={"embedded_triton": False})
    embedded = await stack.enter_async_context(EmbeddedStack.open(wanted, progress))
    owner = settings.database_owner_url or embedded.database_url
    progress("schema", "Bringing the schema up to date")
    await migrate(owner, SERVERS, lambda name: log.info("migration applied", file=name))
    database = settings.database_url or await _app_url(embedded.database_url)
    return Addresses(
        database=database,
        redis=embedded.redis_url,
        triton=embedded.triton_url,
        without_triton=embedded.without_triton,
    )


async def _app_url(owner_url: str) -> str:
    """Lets the app's role log in to the embedded Postgres by itself, so that no query ever runs as its owner."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN")
        owner = await connection.fetchval("SELECT current_user")
    finally:
        await connection.close()
    return owner_url.replace(f"//{owner}@", f"//{APP_ROLE}@", 1)


def _internal_secret(settings: Settings) -> str:
    if settings.internal_secret is not None:
        return settings.internal_secret.get_secret_value()
    file = settings.home / "internal.key"
    if not file.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        draft.rename(file)  # whole or not at all, whenever we are killed
    return file.read_text()


async def _listen(stack: AsyncExitStack, platform: Platform) -> int:
    from gateway.app import create_app
    from gateway.server import serving

    settings = platform.settings
    app = create_app(platform)
    return await stack.enter_async_context(serving(app, settings.http_host, settings.http_port, settings.drain_seconds))
