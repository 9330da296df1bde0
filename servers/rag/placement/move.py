"""Moving a tenant's items from one vector store to another, while it is read and written.

Items are made again from the passages in Postgres: no store has to give out what it holds, and what is copied is what
stands. Every step may be cut off, and is taken up again where it was:

1. the new store is emptied of the tenant, then the row says `copying`: from here on, changes are written to both stores
2. document by document, its row locked, the items of its live version are put into the new store and read back
3. the row says `leaving`: searches ask the new store, some processes perhaps the old one still
4. once all processes know, the row says `dropping`, the tenant is removed from the old store, the row says `settled`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import Conflict, UpstreamError
from servers.kit.postgres import Postgres
from servers.kit.vectors import Item, Terms, VectorStore
from servers.kit.vectors.interfaces import DOCUMENT, VERSION
from servers.kit.vectors.stores import VectorStores
from servers.rag.embedding import Embedder
from servers.rag.index import items_of
from servers.rag.placement.store import Documents, Placement, Placements

ALL_KNOW_S = 20.0
"""After this long every process reads a new placement: see `servers.kit.changes`."""

_SILENT = Terms(np.empty(0, np.int32), np.empty(0, np.float32))

Told = Callable[[int, int], None]
"""Hears how many documents of how many are in the new store."""


class Move:
    """Moves tenants; each document's items are made by `embedder`."""

    def __init__(self, postgres: Postgres, stores: VectorStores, placements: Placements, embedder: Embedder) -> None:
        self._documents = Documents(postgres)
        self._stores = stores
        self._placements = placements
        self._embedder = embedder

    async def run(self, tenant: str, to: str, told: Told) -> int:
        """Moves a tenant, or goes on with its move, and returns when the old store holds nothing of it.

        How many passages were copied and read back. Raises InvalidInput for a store that is not set up, Conflict while
        the tenant is being moved elsewhere, UpstreamError or Timeout.
        """
        target, passages = self._stores.get(to), 0
        placement = await self._placements.settle(tenant)
        if to != (placement.other if placement.phase == "copying" else placement.store):
            placement = await self._begin(tenant, placement, to)
        if placement.phase == "copying":
            passages = await self._copy(tenant, target, placement.copied, told)
            placement = Placement(to, "leaving", placement.store)
            await self._placements.write(tenant, placement)
        if placement.phase == "leaving":
            await asyncio.sleep(ALL_KNOW_S)
            placement = replace(placement, phase="dropping")
            await self._placements.write(tenant, placement)
        if placement.other is not None:
            await self._stores.get(placement.other).drop(tenant)
            await self._placements.write(tenant, Placement(to))
        return passages

    async def _begin(self, tenant: str, placement: Placement, to: str) -> Placement:
        if placement.phase != "settled":
            goal = placement.other if placement.phase == "copying" else placement.store
            raise Conflict(f"{tenant} is being moved to {goal}: finish that first, with the same command")
        await self._stores.get(to).drop(tenant)
        placement = Placement(placement.store, "copying", to)
        await self._placements.write(tenant, placement)
        return placement

    async def _copy(self, tenant: str, target: VectorStore, after: str, told: Told) -> int:
        passages = 0
        total, done = await self._documents.counts(tenant, after)
        async for document in self._documents.ids(tenant, after):
            passages += await self._copy_document(tenant, target, document)
            done += 1
            await self._placements.note_copied(tenant, document)
            told(done, max(done, total))
        return passages

    async def _copy_document(self, tenant: str, target: VectorStore, document: str) -> int:
        async with self._documents.locked(tenant, document) as held:
            if held is None:  # removed meanwhile, or not live yet
                return 0
            live, passages = held
            items = await items_of(self._embedder, live, passages)
            await target.put(tenant, items)
            await _read_back(tenant, target, live, items)
        return len(items)


async def _read_back(tenant: str, store: VectorStore, document: rag_pb2.Document, items: Sequence[Item]) -> None:
    """Raises UpstreamError unless the store finds all the items of the document's version."""
    if not items:
        return
    only = {DOCUMENT: document.id, VERSION: str(document.version)}
    found = await store.search(tenant, items[0].vector, _SILENT, len(items), only)
    missing = {item.id for item in items} - {match.id for match in found}
    if missing:
        raise UpstreamError(
            f"{len(missing)} of {len(items)} passages of {document.id} cannot be read back from the new store; run the "
            "command again to go on"
        )
