"""Vectors in Milvus: one collection for all tenants, the tenant as its partition key.

Milvus has no transactions. `replace` first writes the new items, then removes the document's others: while it runs, and
after a crash until it is run again, a reader may find items of both versions; it never finds neither. Reads are
strongly consistent: they see every write that returned before.

An expression is text, so nothing from outside stands in one: documents and payload entries are matched by their digests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

import grpc
import structlog
from pymilvus import AsyncMilvusClient, DataType, MilvusClient, MilvusException

from servers.kit.errors import UpstreamError
from servers.kit.tenancy import checked_tenant
from servers.kit.vectors.interfaces import DIMENSIONS, DOCUMENT, Filters, Item, Match, Vector

_COLLECTION = "salambot_vectors"
_DIGEST = 32  # characters
_ENTRIES = 64
"""Entries a payload may have."""
_BATCH = 1000
"""Items a request carries: 1 MiB of vectors, where Milvus takes 64 MiB."""
_TIMEOUT_S = 10.0

log = structlog.get_logger(__name__)


class Milvus:
    """VectorStore over Milvus, or over a Milvus Lite file. Connects, and makes the collection, at first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening = asyncio.Lock()
        self._opened: AsyncMilvusClient | None = None

    async def replace(self, tenant: str, document: str, items: Sequence[Item]) -> None:
        """See VectorStore, and the module's text for what a reader may find meanwhile."""
        new = {_digest(tenant, item.id): item for item in items}
        stale = f"{_of(tenant)} and document == {_quoted(_digest(document))}"
        if new:
            stale += f" and key not in [{', '.join(map(_quoted, new))}]"
        rows = [_row(key, tenant, item) for key, item in new.items()]
        async with self._client() as client:
            for start in range(0, len(rows), _BATCH):
                await client.upsert(_COLLECTION, rows[start : start + _BATCH], timeout=_TIMEOUT_S)
            await client.delete(_COLLECTION, filter=stale, timeout=_TIMEOUT_S)

    async def search(self, tenant: str, vector: Vector, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        conditions = [_of(tenant)]
        for key, wanted in filters.items():
            values = (wanted,) if isinstance(wanted, str) else wanted
            terms = ", ".join(_quoted(_digest(key, value)) for value in values)
            conditions.append(f"array_contains_any(terms, [{terms}])")
        if limit < 1 or () in filters.values():
            return []
        async with self._client() as client:
            found = await client.search(
                _COLLECTION,
                data=[vector],
                limit=limit,
                filter=" and ".join(conditions),
                output_fields=["item"],
                search_params={"params": {"ef": max(128, limit)}},
                timeout=_TIMEOUT_S,
            )
        matches = [(hit["entity"]["item"], float(hit["distance"])) for hit in found[0]]
        return [Match(item["id"], score, item["payload"]) for item, score in matches]

    async def delete(self, tenant: str, document: str) -> None:
        """See VectorStore."""
        await self.replace(tenant, document, ())

    async def drop(self, tenant: str) -> None:
        """See VectorStore."""
        async with self._client() as client:
            await client.delete(_COLLECTION, filter=_of(tenant), timeout=_TIMEOUT_S)

    async def check(self) -> None:
        """See VectorStore."""
        async with self._client() as client:
            await client.has_collection(_COLLECTION, timeout=2)

    async def close(self) -> None:
        """See VectorStore."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

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
        schema.add_field("key", DataType.VARCHAR, max_length=_DIGEST, is_primary=True)
        schema.add_field("tenant", DataType.VARCHAR, max_length=63, is_partition_key=True)
        schema.add_field("document", DataType.VARCHAR, max_length=_DIGEST)
        schema.add_field(
            "terms", DataType.ARRAY, element_type=DataType.VARCHAR, max_length=_DIGEST, max_capacity=_ENTRIES
        )
        schema.add_field("item", DataType.JSON)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
        indexes = MilvusClient.prepare_index_params()
        # Unit vectors: the inner product is the cosine.
        indexes.add_index("embedding", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 128})
        client.create_collection(
            _COLLECTION,
            schema=schema,
            index_params=indexes,
            consistency_level="Strong",
            properties={"partitionkey.isolation": True},  # a graph a tenant: a shared one finds half of what it should
        )
    finally:
        client.close()


def _row(key: str, tenant: str, item: Item) -> dict[str, object]:
    return {
        "key": key,
        "tenant": tenant,
        "document": _digest(item.payload[DOCUMENT]),
        "terms": [_digest(key, value) for key, value in item.payload.items()],
        "item": {"id": item.id, "payload": dict(item.payload)},
        "embedding": item.vector,
    }


def _of(tenant: str) -> str:
    return f"tenant == {_quoted(checked_tenant(tenant))}"


def _digest(*parts: str) -> str:
    """Hexadecimal, so that it can stand in any expression; lengths first, so that no two lists of parts agree."""
    digest = blake2b(digest_size=_DIGEST // 2)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8))
        digest.update(data)
    return digest.hexdigest()


def _quoted(safe: str) -> str:
    return f'"{safe}"'
