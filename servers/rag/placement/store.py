"""Rows of placements, and of the documents that a move takes along: all SQL of placing tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from salambot.rag.v1 import rag_pb2

from servers.kit.changes import Changes, Kept
from servers.kit.postgres import Postgres
from servers.rag.passages import Passage
from servers.rag.vocabulary import AUDIENCES, LANGUAGES

TOPIC = "placement"

Phase: TypeAlias = Literal["settled", "copying", "leaving", "dropping"]

_PAGE = 200

_FIND = "SELECT store, phase, other, copied FROM rag_placements"
_LOCK = """
SELECT id, live_version AS version, title, language, category, audience, attributes
FROM rag_documents WHERE id = $1 FOR UPDATE
"""
_PASSAGES = "SELECT loc, title, text FROM rag_passages WHERE document = $1 AND version = $2 ORDER BY position"


@dataclass(frozen=True, slots=True)
class Placement:
    """Searches ask `store`; while a tenant is moved there is an `other`. See the migration for the phases."""

    store: str
    phase: Phase = "settled"
    other: str | None = None
    copied: str = ""

    @property
    def written(self) -> list[str]:
        """The stores that changes are written to."""
        return [self.store, self.other] if self.other is not None and self.phase != "dropping" else [self.store]


class Placements:
    """The placements of tenants: SQL, and what this process keeps of them."""

    def __init__(self, postgres: Postgres, changes: Changes, default: str) -> None:
        self._postgres = postgres
        self._changes = changes
        self._default = default
        self._kept: Kept[Placement] = Kept(changes, TOPIC, stamp=self.read, load=self.read)

    async def get(self, tenant: str) -> Placement:
        """The placement as searches may take it: it may have changed in the last seconds."""
        return await self._kept.get(tenant)

    async def read(self, tenant: str) -> Placement:
        """The placement as it is."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow(_FIND)
        return Placement(**row) if row is not None else Placement(self._default)

    async def settle(self, tenant: str) -> Placement:
        """As `read`; a tenant without a placement gets the default, for good."""
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch(_FIND)
            if not rows:
                await connection.execute(
                    "INSERT INTO rag_placements (store) VALUES ($1) ON CONFLICT DO NOTHING", self._default
                )
                rows = await connection.fetch(_FIND)
        return Placement(**rows[0])

    async def write(self, tenant: str, placement: Placement) -> None:
        """Writes a placement in the place of the one before, and tells every process."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "UPDATE rag_placements SET store = $1, phase = $2, other = $3, copied = $4",
                placement.store, placement.phase, placement.other, placement.copied,
            )  # fmt: skip
        await self._changes.tell(tenant, TOPIC)

    async def note_copied(self, tenant: str, document: str) -> None:
        """Remembers how far copying came."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("UPDATE rag_placements SET copied = $1 WHERE phase = 'copying'", document)


class Documents:
    """The documents of tenants as a move takes them along."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def counts(self, tenant: str, upto: str) -> tuple[int, int]:
        """How many there are, and how many of them have ids up to `upto`."""
        sql = "SELECT count(*) AS total, count(*) FILTER (WHERE id <= $1) AS done FROM rag_documents"
        async with self._postgres.tenant(tenant) as connection:
            [(total, done)] = await connection.fetch(sql, upto)
        return total, done

    async def ids(self, tenant: str, after: str) -> AsyncIterator[str]:
        """The ids behind `after`, also of documents of which nothing is live: a writer may be at it this moment."""
        sql = "SELECT id FROM rag_documents WHERE id > $1 ORDER BY id LIMIT $2"
        while True:
            async with self._postgres.tenant(tenant) as connection:
                ids = [row["id"] for row in await connection.fetch(sql, after, _PAGE)]
            for document in ids:
                yield document
            if len(ids) < _PAGE:
                return
            after = ids[-1]

    @asynccontextmanager
    async def locked(
        self, tenant: str, document: str
    ) -> AsyncIterator[tuple[rag_pb2.Document, Sequence[Passage]] | None]:
        """The live version of a document, its row locked: what is said of its passages, and these. None without one."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow(_LOCK, document)
            if row is None or row["version"] == 0:
                yield None
                return
            live = rag_pb2.Document(
                **{**row, "language": LANGUAGES[row["language"]], "audience": AUDIENCES[row["audience"]]}
            )
            yield live, [Passage(*each) for each in await connection.fetch(_PASSAGES, document, live.version)]
