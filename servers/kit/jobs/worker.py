"""Takes jobs off the queue over one connection, and comes back by itself when Postgres does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer, Queries
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule

from servers.kit.jobs.schema import queries
from servers.kit.jobs.task import Task, described
from servers.kit.postgres.pool import APP_ROLE

log = structlog.get_logger(__name__)

_AT_ONCE = 20
_POLL = timedelta(seconds=2)
"""Jobs are announced; this is how late one may be that waited for another attempt."""
_LAPSE = timedelta(seconds=30)
"""A job whose process has given no sign of life this long is taken by another."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0


class JobFailed(Exception):
    """Told to the queue in the place of a job's own error, which may quote what must not be kept."""


class _Driver(AsyncpgDriver):
    """Gives its connection up at the first failure: a queue that half works would hold its jobs and take no others."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        try:
            return await super().fetch(query, *args)
        except Exception:
            self._connection.terminate()
            raise

    async def execute(self, query: str, *args: object) -> str:
        try:
            return await super().execute(query, *args)
        except Exception:
            self._connection.terminate()
            raise


class Worker:
    """Does jobs until it is stopped."""

    def __init__(self, database_url: str, tasks: Sequence[Task]) -> None:
        self._database_url = database_url
        self._tasks = tasks
        self._stopping = asyncio.Event()
        self._queue: PgQueuer | None = None
        self._busy: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Serves the queue; whatever goes wrong with it, tries again after a pause."""
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                connection = await asyncpg.connect(self._database_url, timeout=10, command_timeout=30)
                pause = _FIRST_PAUSE_S
                await self._serve(connection)
            except Exception as error:
                log.warning("the queue of jobs is out of reach", error=type(error).__name__, again_in=pause)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def stop(self, grace: float) -> None:
        """Takes no more jobs, waits `grace` seconds for those being done, and puts the others back."""
        self._stopping.set()
        if self._queue is not None:
            self._queue.shutdown.set()
        if self._busy:
            await asyncio.wait(self._busy, timeout=grace)
        self._interrupt()

    async def _serve(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        try:
            await connection.execute(f"SET ROLE {APP_ROLE}")
            # Without it our claims lapse, and others will do these jobs.
            connection.add_termination_listener(lambda _connection: self._interrupt())
            over = queries(_Driver(connection))
            self._queue = queue = PgQueuer(over.driver, queries=over)
            for task in self._tasks:
                queue.entrypoint(task.name, accepts_context=False, on_failure="hold")(self._attempt(task))
                if task.cron is not None:
                    queue.schedule(task.name, task.cron, accepts_context=False)(_enqueue(task.name, over))
            if not self._stopping.is_set():
                await queue.run(
                    dequeue_timeout=_POLL,
                    max_concurrent_tasks=_AT_ONCE,
                    heartbeat_timeout=_LAPSE,
                    shutdown_on_listener_failure=True,
                    log_aggregation_interval=timedelta(0),  # the library's statistics are not used
                )
        finally:
            self._queue = None
            connection.terminate()

    def _attempt(self, task: Task) -> Callable[[Job], Awaitable[None]]:
        async def attempt(job: Job) -> None:
            if self._stopping.is_set():  # taken at the last moment
                raise RetryRequested(timedelta(0), "interrupted")
            own = asyncio.current_task()
            assert own is not None
            self._busy.add(own)
            try:
                async with asyncio.timeout(task.seconds):
                    await task.handler(orjson.loads(job.payload or b"{}"))
            except asyncio.CancelledError:
                # Not passed on: the queue would take it for an order to drop the job.
                own.uncancel()
                raise RetryRequested(timedelta(0), "interrupted") from None
            except Exception as error:
                pause = task.pause(error, job.attempts)
                log.warning("job failed", job=task.name, id=job.id, attempt=job.attempts + 1, exc_info=error)
                if pause is None:
                    raise JobFailed(described(error)) from None
                raise RetryRequested(pause, described(error)) from None
            finally:
                self._busy.discard(own)

        return attempt

    def _interrupt(self) -> None:
        for task in tuple(self._busy):
            task.cancel()


def _enqueue(name: str, over: Queries) -> Callable[[Schedule], Awaitable[None]]:
    async def enqueue(_schedule: Schedule) -> None:
        await over.enqueue(name, b"{}", dedupe_key=f"{name}::", on_conflict="skip")

    return enqueue
