"""A vector store that asks and writes the one that a tenant's items are in."""

from __future__ import annotations

from collections.abc import Sequence

from servers.kit.errors import InvalidInput, UpstreamError
from servers.kit.vectors import Item, Match, Terms, VectorStore
from servers.kit.vectors.interfaces import Filters, Vector
from servers.kit.vectors.stores import VectorStores
from servers.rag.placement.store import Placements


class PlacedVectors:
    """VectorStore over the stores of an installation, each tenant in its own.

    Who changes a document holds the lock on its row; the placement is read under it. So a move, which copies each
    document under the same lock, either finds what was written before it was announced, or is written to as well.
    """

    def __init__(self, stores: VectorStores, placements: Placements) -> None:
        self._stores = stores
        self._placements = placements

    async def put(self, tenant: str, items: Sequence[Item]) -> None:
        """See VectorStore."""
        for store in await self._written(tenant):
            await store.put(tenant, items)

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        placement = await self._placements.get(tenant)
        return await self._store(placement.store).search(tenant, vector, terms, limit, filters)

    async def prune(self, tenant: str, document: str, version: str) -> None:
        """See VectorStore."""
        for store in await self._written(tenant):
            await store.prune(tenant, document, version)

    async def delete(self, tenant: str, document: str) -> None:
        """See VectorStore."""
        for store in await self._written(tenant):
            await store.delete(tenant, document)

    async def drop(self, tenant: str) -> None:
        """See VectorStore."""
        for store in await self._written(tenant):
            await store.drop(tenant)

    async def check(self) -> None:
        """See VectorStore."""
        await self._stores.check()

    async def close(self) -> None:
        """The stores are the platform's."""

    async def _written(self, tenant: str) -> list[VectorStore]:
        placement = await self._placements.settle(tenant)
        return [self._store(name) for name in placement.written]

    def _store(self, name: str) -> VectorStore:
        try:
            return self._stores.get(name)
        except InvalidInput as error:  # the fault of whoever runs this, not of the caller
            raise UpstreamError(error.message) from error
