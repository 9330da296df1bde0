"""`salambot serve` and `salambot gateway`: parts of an installation, for a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from servers.commands.process import Steps, run, serve_until_stopped
from servers.kit.settings import Settings
from servers.registry import select
from servers.runtime import Running


def serve(
    components: Annotated[list[str] | None, typer.Argument(help="Names of components; all without any.")] = None,
) -> None:
    """Serve components over gRPC. Services whose URL is not set are started embedded."""

    async def work(settings: Settings) -> None:
        chosen = select(components or [])

        async def ready(process: Running, steps: Steps) -> None:
            names = ", ".join(component.name for component in chosen)
            steps("ready", f"{names} on {settings.grpc_host}:{process.grpc_port}")

        await serve_until_stopped(settings, chosen, gateway=False, grpc=True, ready=ready)

    run(work)


def gateway() -> None:
    """Serve the REST gateway alone; components are reached at SALAMBOT_PEERS."""

    async def work(settings: Settings) -> None:
        async def ready(process: Running, steps: Steps) -> None:
            steps("ready", f"gateway on http://{settings.http_host}:{process.http_port}")

        await serve_until_stopped(settings, [], gateway=True, grpc=False, ready=ready)

    run(work)
