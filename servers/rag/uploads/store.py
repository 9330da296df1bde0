"""Rows of uploads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from servers.kit.postgres import Postgres


class File(NamedTuple):
    """An upload; `size` in bytes."""

    id: str
    name: str
    size: int


class Store:
    """The uploads of tenants; each method is one transaction of one tenant, and raises UpstreamError."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def add(self, tenant: str, file: File) -> None:
        """Writes an upload down; sent again, it is kept for another day."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "INSERT INTO rag_files (id, name, size) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO UPDATE SET sent_at = now()",
                *file,
            )

    async def find(self, tenant: str, ids: Sequence[str]) -> list[File]:
        """Those of the uploads that are there, in the order of `ids`."""
        sql = (
            "SELECT f.id, name, size FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place) "
            "JOIN rag_files f ON f.id = asked.id ORDER BY place"
        )
        async with self._postgres.tenant(tenant) as connection:
            return [File(*row) for row in await connection.fetch(sql, list(ids))]

    async def held(self, tenant: str) -> int:
        """Bytes of all uploads that wait."""
        async with self._postgres.tenant(tenant) as connection:
            return int(await connection.fetchval("SELECT coalesce(sum(size), 0) FROM rag_files"))

    async def old(self, tenant: str, hours: int) -> list[str]:
        """The uploads that nobody took in so many hours."""
        sql = "SELECT id FROM rag_files WHERE sent_at < now() - make_interval(hours => $1)"
        async with self._postgres.tenant(tenant) as connection:
            return [row[0] for row in await connection.fetch(sql, hours)]

    async def remove(self, tenant: str, id: str) -> None:  # noqa: A002 - the contract's name
        """Forgets an upload."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("DELETE FROM rag_files WHERE id = $1", id)
