"""Rows of imports and their items: all SQL of imports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeAlias

import asyncpg
from salambot.rag.v1 import import_pb2

from servers.kit.errors import Conflict, NotFound
from servers.kit.postgres import Postgres
from servers.kit.postgres.pool import Connection

Origin = import_pb2.Origin
State: TypeAlias = import_pb2.ImportState.ValueType

RUNNING, DONE = import_pb2.IMPORT_STATE_RUNNING, import_pb2.IMPORT_STATE_DONE
FAILED, CANCELLED = import_pb2.IMPORT_STATE_FAILED, import_pb2.IMPORT_STATE_CANCELLED

_NEARLY = 0.99  # the share that is done when all items are, before what is left to tidy up

_START = """
INSERT INTO rag_imports (id, source, origin, credentials, defaults, prune) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *
"""

_NOTE = """
WITH done AS (
    UPDATE rag_import_items SET outcome = $3, reason = $4, passages = $5, warnings = $6,
        document = CASE WHEN $7 THEN '' ELSE document END
    WHERE import = $1 AND position = $2 AND outcome = 1 RETURNING outcome, passages
)
UPDATE rag_imports SET attempts = 0, taken = taken + (done.outcome = 2)::int, unchanged = unchanged + (done.outcome = 3)::int,
    skipped = skipped + (done.outcome = 4)::int, failed = failed + (done.outcome = 5)::int,
    passages = rag_imports.passages + CASE done.outcome WHEN 2 THEN done.passages ELSE 0 END
FROM done WHERE id = $1
"""

# Documents that were put there by hand have no origin, and are none of an import's business.
_PRUNE = """
WITH gone AS (
    UPDATE rag_documents SET state = 'deleting', live_version = 0
    WHERE source = $2 AND origin <> '' AND state <> 'deleting'
        AND NOT EXISTS (SELECT FROM rag_import_items i WHERE i.import = $1 AND i.document = rag_documents.id)
    RETURNING id, origin
), told AS (
    INSERT INTO rag_import_items (import, position, name, document, outcome)
    SELECT $1, (SELECT coalesce(max(position), 0) FROM rag_import_items WHERE import = $1) + row_number() OVER (ORDER BY id),
        origin, id, 6 FROM gone RETURNING 1
) UPDATE rag_imports SET removed = removed + (SELECT count(*) FROM told) WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Import:
    """An import: the job as the contract shows it, and what only the work on it needs to know."""

    job: import_pb2.ImportJob
    defaults: import_pb2.DocumentDefaults
    prune: bool
    credentials: bytes | None


class Item(NamedTuple):
    """A line that waits for its turn."""

    position: int
    name: str
    document: str


class Outcome(NamedTuple):
    """What became of an item; `gone` says that it is in the origin no more, and so is pruned."""

    kind: import_pb2.ItemOutcome.ValueType
    reason: str = ""
    passages: int = 0
    warnings: Sequence[str] = ()
    gone: bool = False


class Store:
    """The imports of tenants; each method is one transaction of one tenant, and raises UpstreamError."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @asynccontextmanager
    async def starting(
        self, tenant: str, job: import_pb2.ImportJob, defaults: bytes, credentials: bytes | None, *, prune: bool
    ) -> AsyncIterator[tuple[Connection, Import]]:
        """Writes an import down; commits at the end. Raises Conflict while another one of the source runs."""
        async with self._postgres.tenant(tenant) as connection:
            try:
                row = await connection.fetchrow(
                    _START, job.id, job.source, job.origin.SerializeToString(), credentials, defaults, prune
                )
            except asyncpg.UniqueViolationError:
                raise Conflict(f"{job.source} is being imported already; wait for it, or cancel it") from None
            assert row is not None
            yield connection, _import(row)

    async def find(self, tenant: str, job: str) -> Import:
        """An import; raises NotFound."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow("SELECT * FROM rag_imports WHERE id = $1", job)
        return _import(row) if row is not None else _missing(job)

    async def page(self, tenant: str, before: str, size: int) -> list[import_pb2.ImportJob]:
        """Up to `size` imports with ids before `before`, or from the latest on where it is empty, the latest first."""
        sql = "SELECT * FROM rag_imports WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2"
        async with self._postgres.tenant(tenant) as connection:
            return [_import(row).job for row in await connection.fetch(sql, before, size)]

    async def running(self, tenant: str) -> list[str]:
        """The imports that are not ended."""
        async with self._postgres.tenant(tenant) as connection:
            return [row[0] for row in await connection.fetch("SELECT id FROM rag_imports WHERE state = 1")]

    async def is_running(self, tenant: str, job: str) -> bool:
        """Whether there is still something to do."""
        async with self._postgres.tenant(tenant) as connection:
            return bool(await connection.fetchval("SELECT state = 1 FROM rag_imports WHERE id = $1", job))

    async def begin(self, tenant: str, job: str) -> int | None:
        """Begins an attempt and counts it, from the last item done on; None where there is nothing left to do."""
        async with self._postgres.tenant(tenant) as connection:
            attempt: int | None = await connection.fetchval(
                "UPDATE rag_imports SET attempts = attempts + 1 WHERE id = $1 AND state = 1 RETURNING attempts", job
            )
        return attempt

    async def list_anew(self, tenant: str, job: str) -> None:
        """Forgets what an attempt that was cut off had listed; nothing of it was taken yet."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("DELETE FROM rag_import_items WHERE import = $1", job)
            await connection.execute("UPDATE rag_imports SET items = 0 WHERE id = $1", job)

    async def add_items(self, tenant: str, job: str, items: Sequence[Item]) -> bool:
        """Writes down what was listed; false when the import is ended."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.executemany(
                "INSERT INTO rag_import_items (import, position, name, document) VALUES ($1, $2, $3, $4)",
                [(job, *item) for item in items],
            )
            return bool(
                await connection.fetchval(
                    "UPDATE rag_imports SET items = items + $2 WHERE id = $1 RETURNING state = 1", job, len(items)
                )
            )

    async def end_listing(self, tenant: str, job: str) -> None:
        """Says that all items are there."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("UPDATE rag_imports SET listed = true WHERE id = $1", job)

    async def pending(self, tenant: str, job: str, after: int, size: int) -> list[Item]:
        """Up to `size` items that wait for their turn, behind position `after`."""
        sql = (
            "SELECT position, name, document FROM rag_import_items "
            "WHERE import = $1 AND outcome = 1 AND position > $2 ORDER BY position LIMIT $3"
        )
        async with self._postgres.tenant(tenant) as connection:
            return [Item(*row) for row in await connection.fetch(sql, job, after, size)]

    async def note(self, tenant: str, job: str, position: int, outcome: Outcome) -> None:
        """Writes down what became of an item, once; the figures follow."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                _NOTE, job, position, outcome.kind, outcome.reason, outcome.passages, list(outcome.warnings), outcome.gone
            )  # fmt: skip

    @asynccontextmanager
    async def pruning(self, tenant: str, job: import_pb2.ImportJob) -> AsyncIterator[Connection]:
        """Hides the imported documents of the source that are no items of this import; commits at the end."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(_PRUNE, job.id, job.source)
            yield connection

    async def end(self, tenant: str, job: str, state: State, problem: str = "") -> None:
        """Ends an import and erases its credentials; nothing happens where it is ended."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "UPDATE rag_imports SET state = $2, problem = $3, credentials = NULL, ended_at = now() "
                "WHERE id = $1 AND state = 1",
                job, state, problem,
            )  # fmt: skip

    async def items(
        self,
        tenant: str,
        job: str,
        outcome: int,
        after: int,
        size: int,
    ) -> list[tuple[int, import_pb2.ImportItem]]:
        """Up to `size` lines of the report behind position `after`, with their positions; of one outcome, or all (0)."""
        sql = (
            "SELECT position, name, outcome, reason, passages, warnings, "
            "CASE WHEN outcome IN (2, 3, 6) THEN document ELSE '' END AS document FROM rag_import_items "
            "WHERE import = $1 AND position > $2 AND ($3 = 0 OR outcome = $3) ORDER BY position LIMIT $4"
        )
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch(sql, job, after, outcome, size)
        return [(position, import_pb2.ImportItem(**line)) for position, line in map(_line, rows)]

    async def forget_old(self, tenant: str, days: int) -> None:
        """Removes the reports of imports that ended so long ago."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("DELETE FROM rag_imports WHERE ended_at < now() - make_interval(days => $1)", days)


def _import(row: asyncpg.Record) -> Import:
    done = row["taken"] + row["unchanged"] + row["skipped"] + row["failed"]
    share = _NEARLY * done / row["items"] if row["listed"] and row["items"] else 0.0
    job = import_pb2.ImportJob(
        id=row["id"],
        source=row["source"],
        origin=Origin.FromString(row["origin"]),
        state=row["state"],
        problem=row["problem"],
        items=row["items"],
        listed=row["listed"],
        taken=row["taken"],
        unchanged=row["unchanged"],
        skipped=row["skipped"],
        failed=row["failed"],
        removed=row["removed"],
        passages=row["passages"],
        progress=1.0 if row["state"] == DONE else share,
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
    return Import(job, import_pb2.DocumentDefaults.FromString(row["defaults"]), row["prune"], row["credentials"])


def _line(row: asyncpg.Record) -> tuple[int, dict[str, Any]]:
    fields = dict(row)
    return fields.pop("position"), fields


def _missing(job: str) -> NoReturn:
    raise NotFound(f"there is no import {job}")
