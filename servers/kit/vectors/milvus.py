"""Vectors and terms in Milvus: one collection for all tenants, the tenant as its partition key.

Milvus has no transactions: while `put` runs, a reader may find some of its items. Reads are strongly consistent: they
see every write that returned before. An expression is text, so nothing from outside stands in one but by its digest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import structlog
from pymilvus import AsyncMilvusClient, DataType, MilvusClient, MilvusException

from servers.kit.errors import UpstreamError
from servers.kit.tenancy import checked_tenant
from servers.kit.vectors import digests
from servers.kit.vectors.candidates import matches
from servers.kit.vectors.interfaces import DIMENSIONS, DOCUMENT, TERMS, VERSION, Filters, Item, Match, Terms, Vector

_COLLECTION = "salambot_items"
_ENTRIES = 64
"""Entries a payload may have."""
_WORDLESS = {TERMS: 1.0}
"""Terms of an item without any, which Milvus does not take: one that no question asks for."""
_BATCH = 1000
"""Items a request carries: some 4 MB, where Milvus takes 64 MiB."""
_TIMEOUT_S = 10.0

log = structlog.get_logger(__name__)


class Milvus:
    """VectorStore over Milvus, or over a Milvus Lite file. Connects, and makes the collection, at first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening = asyncio.Lock()
        self._opened: AsyncMilvusClient | None = None

    async def put(self, tenant: str, items: Sequence[Item]) -> None:
        """See VectorStore. Of one id the last item is kept."""
        checked_tenant(tenant)
        rows = list({row["key"]: row for row in (_row(tenant, item) for item in items)}.values())
        async with self._client() as client:
            for start in range(0, len(rows), _BATCH):
                await client.upsert(_COLLECTION, rows[start : start + _BATCH], timeout=_TIMEOUT_S)

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        conditions = [_of(tenant)]
        conditions += [f"array_contains_any(entries, {_quoted(*some)})" for some in digests.wanted(filters)]
        if limit < 1 or () in filters.values():
            return []
        expression = " and ".join(conditions)
        searches = []
        async with self._client() as client:
            if vector.any():
                searches.append(_found(client, "embedding", vector, limit, expression))
            if len(terms.ids):
                searches.append(_found(client, "terms", _sparse(terms), limit, expression))
            found = await asyncio.gather(*searches)
        return matches(vector, terms, (item for items in found for item in items))

    async def prune(self, tenant: str, document: str, version: str) -> None:
        """See VectorStore."""
        await self._delete(f'{_of(tenant, document)} and version != "{digests.digest(version)}"')

    async def delete(self, tenant: str, document: str) -> None:
        """See VectorStore."""
        await self._delete(_of(tenant, document))

    async def drop(self, tenant: str) -> None:
        """See VectorStore."""
        await self._delete(_of(tenant))

    async def check(self) -> None:
        """See VectorStore."""
        async with self._client() as client:
            await client.has_collection(_COLLECTION, timeout=2)

    async def close(self) -> None:
        """See VectorStore."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def _delete(self, expression: str) -> None:
        async with self._client() as client:
            await client.delete(_COLLECTION, filter=expression, timeout=_TIMEOUT_S)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncMilvusClient]:
        try:
            async with self._opening:
                if self._opened is None:
                    await asyncio.to_thread(_make_collection, self._url)
                    self._opened = AsyncMilvusClient(self._url, timeout=_TIMEOUT_S)
            yield self._opened
        except (MilvusException, grpc.RpcError, OSError) as error:
            log.warning("Milvus failed", error=type(error).__name__, code=getattr(error, "code", None))
            raise UpstreamError("the vector store is out of reach; try again later") from error


def _make_collection(url: str) -> None:
    """Makes the collection, once. With the blocking client: the other waits for indexes in a way Milvus Lite lacks."""
    client = MilvusClient(url, timeout=_TIMEOUT_S)
    try:
        if client.has_collection(_COLLECTION):
            return
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.VARCHAR, max_length=digests.LENGTH, is_primary=True)
        schema.add_field("tenant", DataType.VARCHAR, max_length=63, is_partition_key=True)
        schema.add_field("document", DataType.VARCHAR, max_length=digests.LENGTH)
        schema.add_field("version", DataType.VARCHAR, max_length=digests.LENGTH)
        schema.add_field(
            "entries", DataType.ARRAY, element_type=DataType.VARCHAR, max_length=digests.LENGTH, max_capacity=_ENTRIES
        )
        schema.add_field("item", DataType.JSON)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
        schema.add_field("terms", DataType.SPARSE_FLOAT_VECTOR)
        indexes = MilvusClient.prepare_index_params()
        # Unit vectors: the inner product is the cosine.
        indexes.add_index("embedding", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 128})
        indexes.add_index("terms", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        client.create_collection(
            _COLLECTION,
            schema=schema,
            index_params=indexes,
            consistency_level="Strong",
            properties={"partitionkey.isolation": True},  # a graph a tenant: a shared one finds half of what it should
        )
    finally:
        client.close()


async def _found(client: AsyncMilvusClient, field: str, asked: object, limit: int, expression: str) -> list[Item]:
    params = {"ef": max(128, limit)} if field == "embedding" else {}
    [hits] = await client.search(
        _COLLECTION,
        data=[asked],
        anns_field=field,
        limit=limit,
        filter=expression,
        output_fields=["item", "embedding", "terms"],
        search_params={"metric_type": "IP", "params": params},
        timeout=_TIMEOUT_S,
    )
    return [_item(hit["entity"]) for hit in hits]


def _row(tenant: str, item: Item) -> dict[str, Any]:
    return {
        "key": digests.digest(tenant, item.id),
        "tenant": tenant,
        "document": digests.digest(item.payload[DOCUMENT]),
        "version": digests.digest(item.payload[VERSION]),
        "entries": digests.entries(item),
        "item": {"id": item.id, "payload": dict(item.payload)},
        "embedding": item.vector,
        "terms": _sparse(item.terms) or _WORDLESS,
    }


def _item(entity: dict[str, Any]) -> Item:
    stored, sparse = entity["item"], sorted(entity["terms"].items())
    terms = Terms(
        np.array([term for term, _ in sparse], np.int32), np.array([weight for _, weight in sparse], np.float32)
    )
    return Item(stored["id"], np.asarray(entity["embedding"], np.float32), terms, stored["payload"])


def _sparse(terms: Terms) -> dict[int, float]:
    return dict(zip(terms.ids.tolist(), terms.weights.tolist(), strict=True))


def _of(tenant: str, document: str | None = None) -> str:
    whose = f'tenant == "{checked_tenant(tenant)}"'
    return whose if document is None else f'{whose} and document == "{digests.digest(document)}"'


def _quoted(*safe: str) -> str:
    return "[" + ", ".join(f'"{each}"' for each in safe) + "]"
