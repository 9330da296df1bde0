"""The port of jobs: say what can be done, enqueue it, run it, and see what died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import asyncpg
import orjson
from pgqueuer import Queries
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.types import JobId

from servers.kit.errors import InternalError
from servers.kit.jobs.schema import queries
from servers.kit.jobs.task import ATTEMPTS, SECONDS, Handler, Payload, Task
from servers.kit.jobs.worker import Worker
from servers.kit.postgres import Postgres
from servers.kit.postgres.pool import Connection

_PRUNE = "jobs.prune"

_PRUNE_SQL = """
    WITH dead AS (
        DELETE FROM pgqueuer WHERE status = 'failed' AND updated < now() - interval '90 days' RETURNING id
    )
    DELETE FROM pgqueuer_log AS log WHERE created < now() - interval '30 days'
        AND NOT EXISTS (SELECT 1 FROM pgqueuer WHERE id = log.job_id AND id NOT IN (SELECT id FROM dead))
"""

_DEAD_SQL = """
    SELECT job.id, job.entrypoint, job.payload, job.attempts, job.updated, log.reason
    FROM pgqueuer AS job LEFT JOIN LATERAL (
        SELECT traceback ->> 'exception_message' AS reason FROM pgqueuer_log
        WHERE job_id = job.id AND status = 'failed' ORDER BY created DESC LIMIT 1
    ) AS log ON true
    WHERE job.status = 'failed' ORDER BY job.updated DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that used up its attempts, or whose error no further attempt can mend. Kept for 90 days."""

    id: int
    name: str
    payload: Payload
    attempts: int
    died_at: datetime
    reason: str


class Jobs:
    """Jobs of all tenants, done at least once by whichever process knows their name.

    Register before `running`; every process may enqueue any job.
    """

    def __init__(self, postgres: Postgres, database_url: str) -> None:
        self._postgres = postgres
        self._database_url = database_url
        self._tasks: dict[str, Task] = {}
        self.schedule(_PRUNE, "17 3 * * *", self._prune)

    def handler(self, name: str, *, attempts: int = ATTEMPTS, seconds: float = SECONDS) -> Callable[[Handler], Handler]:
        """Registers the decorated function; see `register`."""

        def take(function: Handler) -> Handler:
            self.register(name, function, attempts=attempts, seconds=seconds)
            return function

        return take

    def register(self, name: str, handler: Handler, *, attempts: int = ATTEMPTS, seconds: float = SECONDS) -> None:
        """Does the jobs called `name` with `handler`: up to `attempts` times, each at most `seconds` long."""
        self._add(Task(name, handler, attempts, seconds))

    def schedule(self, name: str, cron: str, handler: Handler) -> None:
        """Does `handler({})` by the clock, `cron` in UTC, in one of the processes; retried as other jobs are.

        A time missed while nothing ran is made up for once. A run that is not over holds back the next.
        """
        self._add(Task(name, handler, cron=cron))

    async def enqueue(
        self,
        name: str,
        payload: Payload,
        *,
        connection: Connection | None = None,
        delay: float = 0.0,
        unique: str | None = None,
    ) -> bool:
        """Enqueues a job, to be done in `delay` seconds at the earliest.

        With a `connection` the job exists if and when its transaction commits. With `unique`, nothing is enqueued,
        and False comes back, while a job of the same name, tenant and `unique` waits or runs.
        Raises UpstreamError while Postgres is out of reach.
        """
        if connection is None:
            async with self._postgres.system() as own:
                return await self.enqueue(name, payload, connection=own, delay=delay, unique=unique)
        ids = await _over(connection).enqueue(
            name,
            orjson.dumps(payload),
            execute_after=timedelta(seconds=delay),
            dedupe_key=unique and f"{name}:{payload.get('tenant', '')}:{unique}",
            on_conflict="skip",
        )
        return ids[0] is not None

    async def dead(self, limit: int = 100) -> list[DeadJob]:
        """The jobs that died, the latest first."""
        async with self._postgres.system() as connection:
            rows = await connection.fetch(_DEAD_SQL, limit)
        return [
            DeadJob(
                id=row["id"],
                name=row["entrypoint"],
                payload=orjson.loads(row["payload"]),
                attempts=row["attempts"] + 1,
                died_at=row["updated"],
                reason=row["reason"] or "",
            )
            for row in rows
        ]

    async def revive(self, ids: Sequence[int]) -> None:
        """Puts dead jobs back into the queue, with all their attempts."""
        async with self._postgres.system() as connection:
            await _over(connection).requeue_jobs([JobId(dead) for dead in ids])

    @asynccontextmanager
    async def running(self, grace: float = 10.0) -> AsyncIterator[None]:
        """Does jobs inside the block. Leaving it takes no more, and after `grace` seconds puts back those not done."""
        worker = Worker(self._database_url, list(self._tasks.values()))
        working = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            await worker.stop(grace)
            await working

    def _add(self, task: Task) -> None:
        if task.name in self._tasks:
            raise InternalError(f"two handlers are registered for the job {task.name}")
        self._tasks[task.name] = task

    async def _prune(self, _payload: Payload) -> None:
        async with self._postgres.system() as connection:
            await connection.execute(_PRUNE_SQL)


def _over(connection: Connection) -> Queries:
    return queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection)))
