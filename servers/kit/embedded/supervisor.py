"""Keeps a service running: waits until it answers, starts it again with growing pauses when it dies, stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from servers.kit.embedded.process import Command, Process, StartError

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds before a start is tried again; doubled each time
FIRST_START_ATTEMPTS = 4  # a killed run may hold its memory, or another program our port, for a moment
STEADY_SECONDS = 60.0  # a service that lived this long starts again without a long pause
POLL_SECONDS = 0.02

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """What to run and how to tell that it answers: `probe` says whether it does, within `start_seconds`."""

    command: Command
    probe: Callable[[], Awaitable[bool]]
    start_seconds: float = 60.0


class Supervisor:
    """One service and the process that runs it now."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.process: Process | None = None
        self.restarts = 0

    async def start(self) -> None:
        """Starts the service and waits until it answers. Raises StartError."""
        process = await Process.start(self._service.command)
        try:
            await self._answering(process)
        except BaseException:
            await process.stop()
            raise
        self.process = process

    async def keep(self) -> None:
        """Starts the service again whenever it dies, for ever."""
        pause = FIRST_PAUSE
        while self.process is not None:
            began = time.monotonic()
            status = await self.process.wait()
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            _log.error("service died", service=self._service.command.name, status=status, restart_in=pause)
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                try:
                    await self.start()
                except StartError as error:
                    _log.error("service did not start again", error=str(error), restart_in=pause)
                else:
                    break
            self.restarts += 1

    async def _answering(self, process: Process) -> None:
        deadline = time.monotonic() + self._service.start_seconds
        while not await self._service.probe():
            if process.ended:
                raise process.failure("ended while starting")
            if time.monotonic() > deadline:
                raise process.failure(f"did not answer within {self._service.start_seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
        if process.ended:  # something else answered
            raise process.failure("ended while starting")


@asynccontextmanager
async def supervised(service: Service) -> AsyncIterator[Supervisor]:
    """Runs `service` inside the block. Raises StartError when it does not start."""
    supervisor = Supervisor(service)
    pause = FIRST_PAUSE
    for attempt in range(1, FIRST_START_ATTEMPTS + 1):
        try:
            await supervisor.start()
            break
        except StartError:
            if attempt == FIRST_START_ATTEMPTS:
                raise
            await asyncio.sleep(pause)
            pause *= 2
    keeper = asyncio.create_task(supervisor.keep())
    try:
        yield supervisor
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        if supervisor.process is not None:
            await supervisor.process.stop()
