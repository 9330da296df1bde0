"""Vectors and terms in Postgres: one table, list-partitioned by tenant.

One shared index with a tenant filter finds half of what it should (recall .49 measured): hence the partitions. What a
search does in a partition stands in migration 0005.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pgvector import SparseVector

from servers.kit.postgres import Postgres
from servers.kit.vectors.interfaces import DOCUMENT, TERMS, VERSION, Filters, Item, Match, Terms, Vector

GRAPH_FROM = 1000
"""Rows of a tenant from which on its partition has a graph: up to there a scan is as fast, and exact."""

_GRAPH_S = 300.0  # time a graph of all that one put brought may take, on a slow machine

_TELLING = 0.6
"""Share of a question's weight that its telling terms have together: an item without any of them is not looked at.

Of the 16 items with the greatest overlap they find 99 of 100, and look at a tenth of all; with .8, at a quarter.
"""

_UPSERT = """
    INSERT INTO vectors (id, document, embedding, payload, term_ids, terms) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant, id) DO UPDATE SET document = excluded.document, embedding = excluded.embedding,
    payload = excluded.payload, term_ids = excluded.term_ids, terms = excluded.terms
"""


class PgVector:
    """VectorStore over pgvector; `put` is one transaction."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._partitioned: set[str] = set()
        self._with_graph: set[str] = set()

    async def put(self, tenant: str, items: Sequence[Item]) -> None:
        """See VectorStore. Of one id the last item is kept."""
        await self._ensure_partition(tenant)
        # By id, so that two writers of the same items wait for each other and never both.
        rows = [_row(item) for _, item in sorted({item.id: item for item in items}.items())]
        async with self._postgres.tenant(tenant) as connection:
            await connection.executemany(_UPSERT, rows)
        await self._ensure_graph(tenant)

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        must = {key: wanted for key, wanted in filters.items() if isinstance(wanted, str)}
        among = {key: list(wanted) for key, wanted in filters.items() if not isinstance(wanted, str)}
        rows = await self._postgres.call(
            tenant, "salam_search", vector, _sparse(terms), _telling(terms), terms.ids.tolist(), must, among, limit
        )
        matches = [Match(row["id"], row["nearness"], row["overlap"], row["payload"]) for row in rows]
        return sorted(matches, key=lambda match: -match.nearness)

    async def prune(self, tenant: str, document: str, version: str) -> None:
        """See VectorStore."""
        sql = "DELETE FROM vectors WHERE tenant = $1 AND document = $2 AND payload ->> $3 <> $4"
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(sql, tenant, document, VERSION, version)

    async def delete(self, tenant: str, document: str) -> None:
        """See VectorStore."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("DELETE FROM vectors WHERE tenant = $1 AND document = $2", tenant, document)

    async def drop(self, tenant: str) -> None:
        """See VectorStore."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute("DELETE FROM vectors WHERE tenant = $1", tenant)

    async def check(self) -> None:
        """See VectorStore."""
        await self._postgres.check()

    async def close(self) -> None:
        """The pool is the platform's."""

    async def _ensure_partition(self, tenant: str) -> None:
        if tenant not in self._partitioned:
            async with self._postgres.tenant(tenant) as connection:
                await connection.execute("SELECT salam_vector_partition()")
            self._partitioned.add(tenant)

    async def _ensure_graph(self, tenant: str) -> None:
        """In a transaction of its own: two writers that both have written would wait for each other."""
        if tenant not in self._with_graph:
            async with self._postgres.tenant(tenant) as connection:
                if await connection.fetchval("SELECT salam_vector_graph($1)", GRAPH_FROM, timeout=_GRAPH_S):
                    self._with_graph.add(tenant)


def _row(item: Item) -> tuple[object, ...]:
    payload = dict(item.payload)
    return item.id, payload[DOCUMENT], item.vector, payload, item.terms.ids.tolist(), _sparse(item.terms)


def _sparse(terms: Terms) -> SparseVector:
    return SparseVector(dict(zip(terms.ids.tolist(), terms.weights.tolist(), strict=True)), TERMS)


def _telling(terms: Terms) -> list[int]:
    """The ids of the heaviest terms."""
    heaviest = np.argsort(-terms.weights, kind="stable")
    weights = np.cumsum(terms.weights[heaviest])
    enough = int(np.searchsorted(weights, _TELLING * weights[-1])) + 1 if len(weights) else 0
    ids: list[int] = terms.ids[heaviest[:enough]].tolist()
    return ids
