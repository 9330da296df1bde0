"""Running a serving process from a terminal: the loop, signals, progress, errors that say how to mend them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import asyncpg
import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from servers.kit.embedded.process import StartError
from servers.kit.errors import SalamError
from servers.kit.postgres.migrations import MigrationError
from servers.kit.settings import Settings, SettingsError, read_settings
from servers.registry import Component
from servers.runtime import Running, running

console = Console(stderr=True, highlight=False)


def run(work: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    """Runs `work` with the settings of the environment; what a person can mend is told in a line, without a trace."""
    try:
        settings = read_settings()
        uvloop.run(work(settings))
    except (SettingsError, StartError, MigrationError, SalamError, asyncpg.PostgresError, OSError, ValueError) as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


class Steps:
    """Progress as lines: each message once, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, str] = {}

    def __call__(self, step: str, message: str, fraction: float | None = None) -> None:
        """See Progress; a fraction is told by the tenth."""
        text = message if fraction is None or fraction >= 1 else f"{message} {int(fraction * 10) * 10} %"
        if self._last.get(step) != text:
            self._last[step] = text
            console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {step:<12} {escape(text)}", soft_wrap=True)


async def serve_until_stopped(
    settings: Settings,
    components: Sequence[Component],
    *,
    gateway: bool,
    grpc: bool,
    ready: Callable[[Running, Steps], Awaitable[None]],
) -> None:
    """Serves until SIGINT or SIGTERM, then drains. A second signal ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    steps = Steps()

    async def serve() -> None:
        async with running(settings, components, gateway=gateway, grpc=grpc, progress=steps) as process:
            await ready(process, steps)
            serving.set()
            await stopped.wait()
            console.print("stopping …")

    serving = asyncio.Event()
    task = asyncio.create_task(serve())

    def stop() -> None:
        stopped.set()
        if not serving.is_set():
            task.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        console.print("stopped while starting")
