"""Rows of documents: all SQL of the component."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import asyncpg
from salambot.rag.v1 import rag_pb2

from servers.kit.postgres import Postgres
from servers.rag.vocabulary import AUDIENCES, LANGUAGES, word_of_audience, word_of_language

State: TypeAlias = Literal["pending", "ready", "failed", "deleting"]

_STATES: Mapping[State, rag_pb2.DocumentState.ValueType] = {
    "pending": rag_pb2.DOCUMENT_STATE_PENDING,
    "ready": rag_pb2.DOCUMENT_STATE_READY,
    "failed": rag_pb2.DOCUMENT_STATE_FAILED,
}

_ANNOUNCE = """
INSERT INTO rag_documents AS d (id, digest, title, language, category, audience, url, attributes, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending')
ON CONFLICT (tenant, id) DO UPDATE SET
    digest = $2, title = $3, language = $4, category = $5, audience = $6, url = $7, attributes = $8, state = 'pending',
    problem = '', version = d.version + (d.digest <> $2)::int,
    created_at = CASE d.state WHEN 'deleting' THEN now() ELSE d.created_at END,
    updated_at = CASE d.digest WHEN $2 THEN d.updated_at ELSE now() END
RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A row: the document as the contract shows it, without its text, and what stands beside it."""

    document: rag_pb2.Document
    digest: bytes
    state: State


class Store:
    """The documents of tenants; each method is one transaction of one tenant."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def find(self, tenant: str, id: str) -> Stored | None:  # noqa: A002 - the contract's name
        """The row of a document, in whatever state; None when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow("SELECT * FROM rag_documents WHERE id = $1", id)
        return _stored(row) if row is not None else None

    async def page(self, tenant: str, after: str, size: int) -> list[rag_pb2.Document]:
        """Up to `size` documents whose ids come behind `after`, by id in byte order."""
        sql = "SELECT * FROM rag_documents WHERE id > $1 AND state <> 'deleting' ORDER BY id LIMIT $2"
        async with self._postgres.tenant(tenant) as connection:
            return [_stored(row).document for row in await connection.fetch(sql, after, size)]

    @asynccontextmanager
    async def announcing(self, tenant: str, document: rag_pb2.Document, digest: bytes) -> AsyncIterator[int]:
        """Writes the row as pending and gives the version, a new one where the digest differs; commits at the end."""
        async with self._postgres.tenant(tenant) as connection:
            yield await connection.fetchval(
                _ANNOUNCE,
                document.id,
                digest,
                document.title,
                word_of_language(document.language),
                document.category,
                word_of_audience(document.audience),
                document.url,
                dict(document.attributes),
            )

    @asynccontextmanager
    async def publishing(
        self, tenant: str, document: rag_pb2.Document, passage_count: int, embedder: bytes
    ) -> AsyncIterator[bool]:
        """Locks the row, and makes it ready at the end.

        False when there is nothing to do: another version came, or another process was faster.
        """
        made_by = asyncpg.BitString.frombytes(embedder)
        async with self._postgres.tenant(tenant) as connection:
            due = await connection.fetchval(
                "SELECT true FROM rag_documents WHERE id = $1 AND version = $2 AND state <> 'deleting' "
                "AND rag_unfinished(state, embedder, $3) FOR UPDATE",
                document.id, document.version, made_by,
            )  # fmt: skip
            yield due is not None
            if due:
                await connection.execute(
                    "UPDATE rag_documents SET state = 'ready', problem = '', passage_count = $2, embedder = $3 WHERE id = $1",
                    document.id, passage_count, made_by,
                )  # fmt: skip

    async def fail(self, tenant: str, document: rag_pb2.Document, problem: str) -> None:
        """Gives a document up in this version; `problem` tells people how to mend it."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "UPDATE rag_documents SET state = 'failed', problem = $3 "
                "WHERE id = $1 AND version = $2 AND state IN ('pending', 'ready')",
                document.id, document.version, problem,
            )  # fmt: skip

    async def announce_removal(self, tenant: str, id: str) -> bool:  # noqa: A002
        """Hides a document on its way out; false when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            done = await connection.execute("UPDATE rag_documents SET state = 'deleting' WHERE id = $1", id)
        return done != "UPDATE 0"

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

    async def unfinished(self, embedder: bytes) -> list[tuple[str, Stored]]:
        """The documents of all tenants that wait for work: interrupted writes, and vectors of another model."""
        made_by = asyncpg.BitString.frombytes(embedder)
        async with self._postgres.system() as connection:
            tenants = [row[0] for row in await connection.fetch("SELECT rag_unfinished_tenants($1)", made_by)]
        found = []
        for tenant in tenants:
            async with self._postgres.tenant(tenant) as connection:
                rows = await connection.fetch(
                    "SELECT * FROM rag_documents WHERE rag_unfinished(state, embedder, $1)", made_by
                )
            found += [(tenant, _stored(row)) for row in rows]
        return found


def _stored(row: asyncpg.Record) -> Stored:
    document = rag_pb2.Document(
        id=row["id"],
        title=row["title"],
        language=LANGUAGES[row["language"]],
        category=row["category"],
        audience=AUDIENCES[row["audience"]],
        url=row["url"],
        attributes=row["attributes"],
        state=_STATES.get(row["state"], rag_pb2.DOCUMENT_STATE_PENDING),
        problem=row["problem"],
        version=row["version"],
        passage_count=row["passage_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
    return Stored(document, row["digest"], row["state"])
