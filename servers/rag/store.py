"""Rows of documents and their passages: all SQL of a tenant's knowledge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import asyncpg
from google.protobuf.timestamp_pb2 import Timestamp
from salambot.rag.v1 import rag_pb2

from servers.kit.postgres import Postgres
from servers.kit.postgres.pool import Connection
from servers.rag.passages import Passage
from servers.rag.vocabulary import AUDIENCES, LANGUAGES, word_of_audience, word_of_language

State: TypeAlias = Literal["pending", "ready", "failed", "deleting"]
TermIds: TypeAlias = Sequence[int]

_STATES: Mapping[State, rag_pb2.DocumentState.ValueType] = {
    "pending": rag_pb2.DOCUMENT_STATE_PENDING,
    "ready": rag_pb2.DOCUMENT_STATE_READY,
    "failed": rag_pb2.DOCUMENT_STATE_FAILED,
}
_MOST_SOURCES = 1000

# The last values of a row, $1 to $13, in the order of `_values`.
_COLUMNS = (
    "id, title, language, category, audience, url, attributes, source, origin, media_type, warnings, "
    "valid_from, valid_until"
)
_PLACES = ", ".join(f"${number}" for number in range(1, 14))

_ANNOUNCE = f"""
INSERT INTO rag_documents AS d ({_COLUMNS}, version, digest, wanted, state)
VALUES ({_PLACES}, $14, $15, $16, 'pending')
ON CONFLICT (tenant, id) DO UPDATE SET
    version = $14, digest = $15, wanted = $16, state = 'pending', problem = '', littered = true,
    created_at = CASE d.state WHEN 'deleting' THEN now() ELSE d.created_at END,
    updated_at = CASE d.digest WHEN $15 THEN d.updated_at ELSE now() END
    WHERE d.version = $17 AND NOT (d.state = 'ready' AND d.digest = $15)
RETURNING true
"""  # noqa: S608 - names and placeholders of ours

_GO_LIVE = f"""
UPDATE rag_documents SET ({_COLUMNS}) = ROW({_PLACES}), state = 'ready', problem = '', live_version = $14,
    wanted = NULL, passage_count = $15, embedder = $16
WHERE id = $1
"""  # noqa: S608

_DUE = """
SELECT true FROM rag_documents d
WHERE id = $1 AND version = $2 AND state IN ('pending', 'ready') AND rag_waits(d, $3) FOR UPDATE
"""

_HIDE = "UPDATE rag_documents SET state = 'deleting', live_version = 0 WHERE "

_SOURCES = f"""
SELECT source AS name, count(*)::int AS documents, count(*) FILTER (WHERE live_version = 0)::int AS unavailable,
    coalesce(sum(passage_count) FILTER (WHERE live_version > 0), 0)::int AS passages, max(updated_at) AS updated_at
FROM rag_documents WHERE state <> 'deleting' GROUP BY source ORDER BY source LIMIT {_MOST_SOURCES}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Stored:
    """A row: the document as the contract shows it, without its text, and what stands beside it."""

    document: rag_pb2.Document
    digest: bytes
    state: State
    live_version: int


class Store:
    """The documents of tenants; each method is one transaction of one tenant, and raises UpstreamError."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def find(self, tenant: str, id: str) -> Stored | None:  # noqa: A002 - the contract's name
        """The row of a document, in whatever state; None when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow("SELECT * FROM rag_documents WHERE id = $1", id)
        return _stored(row) if row is not None else None

    async def page(self, tenant: str, source: str, after: str, size: int) -> list[rag_pb2.Document]:
        """Up to `size` documents whose ids come behind `after`, by id in byte order; of all sources where it is empty."""
        sql = (
            "SELECT * FROM rag_documents WHERE id > $1 AND state <> 'deleting' AND ($3 = '' OR source = $3) "
            "ORDER BY id LIMIT $2"
        )
        async with self._postgres.tenant(tenant) as connection:
            return [_stored(row).document for row in await connection.fetch(sql, after, size, source)]

    async def sources(self, tenant: str) -> list[rag_pb2.Source]:
        """The sources by name, with their figures."""
        async with self._postgres.tenant(tenant) as connection:
            return [rag_pb2.Source(**row) for row in await connection.fetch(_SOURCES)]

    async def passages(self, tenant: str, document: str, version: int, after: int, size: int) -> list[Passage]:
        """Up to `size` passages of a version, in their order, from the one behind number `after` on (-1: the first)."""
        sql = (
            "SELECT loc, title, text FROM rag_passages WHERE document = $1 AND version = $2 AND position > $3 "
            "ORDER BY position LIMIT $4"
        )
        async with self._postgres.tenant(tenant) as connection:
            return [Passage(*row) for row in await connection.fetch(sql, document, version, after, size)]

    @asynccontextmanager
    async def announcing(
        self,
        tenant: str,
        document: rag_pb2.Document,
        digest: bytes,
        seen: int,
        passages: Sequence[tuple[Passage, TermIds]],
    ) -> AsyncIterator[bool]:
        """Writes what a document shall be in its new version, with its passages; commits at the end.

        False, and nothing is written, when the row is not in version `seen` (0: not there) any more, or has this
        content by now.
        """
        async with self._postgres.tenant(tenant) as connection:
            announced = await connection.fetchval(
                _ANNOUNCE, *_values(document), document.version, digest, document.SerializeToString(), seen
            )
            if announced:
                await _write(connection, document, passages)
            yield announced is not None

    @asynccontextmanager
    async def going_live(
        self, tenant: str, document: rag_pb2.Document, passage_count: int, embedder: bytes
    ) -> AsyncIterator[bool]:
        """Locks the row, and makes this version the live one at the end, in the place of all others.

        False when there is nothing to do: another version came, or another process was faster.
        """
        made_by = asyncpg.BitString.frombytes(embedder)
        async with self._postgres.tenant(tenant) as connection:
            due = await connection.fetchval(_DUE, document.id, document.version, made_by)
            yield due is not None
            if due:
                await connection.execute(
                    "DELETE FROM rag_passages WHERE document = $1 AND version <> $2", document.id, document.version
                )
                await connection.execute(_GO_LIVE, *_values(document), document.version, passage_count, made_by)

    @asynccontextmanager
    async def tidying(self, tenant: str, document: rag_pb2.Document) -> AsyncIterator[bool]:
        """Locks the row while items of versions that are not live are removed; false when there are none to remove."""
        async with self._postgres.tenant(tenant) as connection:
            due = await connection.fetchval(
                "SELECT true FROM rag_documents WHERE id = $1 AND live_version = $2 AND version = $2 AND littered FOR UPDATE",
                document.id, document.version,
            )  # fmt: skip
            yield due is not None
            if due:
                await connection.execute("UPDATE rag_documents SET littered = false WHERE id = $1", document.id)

    async def fail(self, tenant: str, document: rag_pb2.Document, problem: str) -> None:
        """Gives a document up in this version; `problem` tells people how to mend it."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "UPDATE rag_documents SET state = 'failed', problem = $3 "
                "WHERE id = $1 AND version = $2 AND state IN ('pending', 'ready')",
                document.id, document.version, problem,
            )  # fmt: skip

    async def hide(self, tenant: str, id: str) -> bool:  # noqa: A002
        """Hides a document on its way out; false when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            done = await connection.execute(f"{_HIDE}id = $1", id)
        return done != "UPDATE 0"

    @asynccontextmanager
    async def hiding(self, tenant: str, source: str) -> AsyncIterator[tuple[Connection, int]]:
        """Hides the documents of a source, or all where it is empty, in one statement; how many. Commits at the end."""
        async with self._postgres.tenant(tenant) as connection:
            done = await connection.execute(f"{_HIDE}state <> 'deleting' AND ($1 = '' OR source = $1)", source)
            yield connection, int(done.removeprefix("UPDATE "))

    async def hidden(self, tenant: str, size: int) -> list[str]:
        """Up to `size` documents on their way out."""
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch("SELECT id FROM rag_documents WHERE state = 'deleting' LIMIT $1", size)
        return [row[0] for row in rows]

    @asynccontextmanager
    async def removing(self, tenant: str, id: str) -> AsyncIterator[int | None]:  # noqa: A002
        """Locks the row of a document on its way out, gives its version, and deletes the row at the end.

        None when there is nothing to do: the document was uploaded again, or another process was faster.
        """
        async with self._postgres.tenant(tenant) as connection:
            version = await connection.fetchval(
                "SELECT version FROM rag_documents WHERE id = $1 AND state = 'deleting' FOR UPDATE", id
            )
            yield version
            if version is not None:
                await connection.execute("DELETE FROM rag_documents WHERE id = $1", id)

    async def waiting_tenants(self, embedder: bytes) -> list[str]:
        """The tenants with documents that wait for work: interrupted writes, and vectors of another model."""
        async with self._postgres.system() as connection:
            rows = await connection.fetch("SELECT rag_waiting_tenants($1)", asyncpg.BitString.frombytes(embedder))
        return [row[0] for row in rows]

    async def waiting(self, tenant: str, embedder: bytes, after: str, size: int) -> list[Stored]:
        """Up to `size` documents of a tenant that wait for work, with ids behind `after`."""
        sql = "SELECT * FROM rag_documents d WHERE rag_waits(d, $1) AND id > $2 ORDER BY id LIMIT $3"
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch(sql, asyncpg.BitString.frombytes(embedder), after, size)
        return [_stored(row) for row in rows]


async def _write(
    connection: Connection, document: rag_pb2.Document, passages: Sequence[tuple[Passage, TermIds]]
) -> None:
    await connection.execute(
        "DELETE FROM rag_passages WHERE document = $1 AND version = $2", document.id, document.version
    )
    await connection.executemany(
        "INSERT INTO rag_passages (document, version, loc, position, title, text, terms) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (document.id, document.version, passage.loc, position, passage.title, passage.text, terms)
            for position, (passage, terms) in enumerate(passages)
        ],
    )


def _values(document: rag_pb2.Document) -> tuple[Any, ...]:
    return (
        document.id,
        document.title,
        word_of_language(document.language),
        document.category,
        word_of_audience(document.audience),
        document.url,
        dict(document.attributes),
        document.source,
        document.origin,
        document.media_type,
        list(document.warnings),
        _moment(document, "valid_from"),
        _moment(document, "valid_until"),
    )


def _moment(document: rag_pb2.Document, field: Literal["valid_from", "valid_until"]) -> datetime | None:
    if not document.HasField(field):
        return None
    moment: Timestamp = getattr(document, field)
    return moment.ToDatetime(UTC)


def _stored(row: asyncpg.Record) -> Stored:
    if row["wanted"] is not None:
        document = rag_pb2.Document.FromString(row["wanted"])
    else:
        document = rag_pb2.Document(
            id=row["id"],
            title=row["title"],
            language=LANGUAGES[row["language"]],
            category=row["category"],
            audience=AUDIENCES[row["audience"]],
            url=row["url"],
            attributes=row["attributes"],
            source=row["source"],
            origin=row["origin"],
            media_type=row["media_type"],
            warnings=row["warnings"],
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
        )
    document.state = _STATES.get(row["state"], rag_pb2.DOCUMENT_STATE_PENDING)
    document.problem = row["problem"]
    document.version = row["version"]
    document.passage_count = row["passage_count"]
    document.created_at.FromDatetime(row["created_at"])
    document.updated_at.FromDatetime(row["updated_at"])
    return Stored(document, row["digest"], row["state"], row["live_version"])
