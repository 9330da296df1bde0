"""`salambot up`: everything on this machine, with a demo tenant."""

from __future__ import annotations

import json

from rich.markup import escape
from rich.panel import Panel

from servers.commands.process import Steps, console, run, serve_until_stopped
from servers.demo import load_demo
from servers.kit.settings import Settings
from servers.registry import COMPONENTS
from servers.runtime import Running


def up() -> None:
    """Serve everything on this machine: gateway, all components, embedded services, a demo tenant."""
    run(_up)


async def _up(settings: Settings) -> None:
    async def ready(process: Running, steps: Steps) -> None:
        key = await load_demo(process.platform, settings.home, steps)
        console.print(_banner(process, settings, key))
        # Outside of the frame, and never broken: to be copied as it is.
        console.print(_example(process, settings, key), markup=False, soft_wrap=True)

    await serve_until_stopped(settings, COMPONENTS, gateway=True, grpc=True, ready=ready)


def _banner(process: Running, settings: Settings, key: str) -> Panel:
    web = f"http://{settings.http_host}:{process.http_port}"
    addresses = process.platform.addresses
    models = (
        f"Triton at {addresses.triton}" if addresses.triton else f"ONNX Runtime in process: {addresses.without_triton}"
    )
    return Panel(
        "\n".join(
            (
                f"[bold]REST[/]      {web}/v1/messages    documentation: {web}/docs",
                f"[bold]gRPC[/]      {settings.grpc_host}:{process.grpc_port}",
                f"[bold]models[/]    {escape(models)}",
                f"[bold]demo key[/]  {key}    (kept in {escape(str(settings.home / 'demo.key'))})",
                "",
                "Talk to it with [bold]salambot chat[/], or with the command below. Ctrl-C stops it.",
            )
        ),
        title="SalamBot is ready",
        border_style="green",
        expand=False,
    )


def _example(process: Running, settings: Settings, key: str) -> str:
    body = {
        "tenant": "demo",
        "channel": "facebook",
        "message_id": "m1",
        "data": {"user_text": "salam 3afak fin n9der nshouf la facture ?"},
    }
    url = f"http://{settings.http_host}:{process.http_port}/v1/messages"
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return f"curl -s {url} {headers} \\\n  -d '{json.dumps(body)}'"
