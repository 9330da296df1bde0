"""Vectors and terms in Qdrant: one collection for all tenants, with a graph and a part of the storage for each.

Qdrant has no transactions: while `put` runs, a reader may find some of its items. Every write waits until it can be read.
Entries of payloads are matched by their digests: a key from outside would be a path to Qdrant.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import numpy as np
import structlog
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from servers.kit.errors import UpstreamError
from servers.kit.tenancy import checked_tenant
from servers.kit.vectors import digests
from servers.kit.vectors.candidates import matches
from servers.kit.vectors.interfaces import DIMENSIONS, DOCUMENT, VERSION, Filters, Item, Match, Terms, Vector

_COLLECTION = "salambot_items"
_EMBEDDING, _TERMS = "embedding", "terms"
_BATCH = 500
"""Points a request carries: some 5 MB of JSON, where Qdrant takes 32 MB."""
_TIMEOUT_S = 10

log = structlog.get_logger(__name__)


class Qdrant:
    """VectorStore over Qdrant at a URL, or in this process: in a folder, or `:memory:`.

    Connects, and makes the collection, at first use.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._url = url
        self._api_key = api_key
        self._opening = asyncio.Lock()
        self._opened: AsyncQdrantClient | None = None

    async def put(self, tenant: str, items: Sequence[Item]) -> None:
        """See VectorStore. Of one id the last item is kept."""
        checked_tenant(tenant)
        points = list({point.id: point for point in (_point(tenant, item) for item in items)}.values())
        async with self._client() as client:
            for start in range(0, len(points), _BATCH):
                await client.upsert(_COLLECTION, points[start : start + _BATCH])

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        conditions = [_of(tenant), *(_among("entries", some) for some in digests.wanted(filters))]
        if limit < 1 or () in filters.values():
            return []
        searches = []
        async with self._client() as client:
            if vector.any():
                searches.append(_found(client, _EMBEDDING, vector.tolist(), limit, conditions))
            if len(terms.ids):
                searches.append(_found(client, _TERMS, _sparse(terms), limit, conditions))
            found = await asyncio.gather(*searches)
        return matches(vector, terms, (item for items in found for item in items))

    async def prune(self, tenant: str, document: str, version: str) -> None:
        """See VectorStore."""
        kept = _among("version", [digests.digest(version)])
        await self._delete(models.Filter(must=[_of(tenant), _in(document)], must_not=[kept]))

    async def delete(self, tenant: str, document: str) -> None:
        """See VectorStore."""
        await self._delete(models.Filter(must=[_of(tenant), _in(document)]))

    async def drop(self, tenant: str) -> None:
        """See VectorStore."""
        await self._delete(models.Filter(must=[_of(tenant)]))

    async def check(self) -> None:
        """See VectorStore."""
        async with self._client() as client:
            await client.collection_exists(_COLLECTION)

    async def close(self) -> None:
        """See VectorStore."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def _delete(self, which: models.Filter) -> None:
        async with self._client() as client:
            await client.delete(_COLLECTION, models.FilterSelector(filter=which))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncQdrantClient]:
        try:
            async with self._opening:
                if self._opened is None:
                    self._opened = await _connect(self._url, self._api_key)
            yield self._opened
        except (ApiException, QdrantException, OSError) as error:
            log.warning("Qdrant failed", error=type(error).__name__, code=getattr(error, "status_code", None))
            raise UpstreamError("the vector store is out of reach; try again later") from error


async def _connect(url: str, api_key: str | None) -> AsyncQdrantClient:
    if "://" in url:
        client = AsyncQdrantClient(url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False)
    else:
        client = AsyncQdrantClient(url) if url == ":memory:" else AsyncQdrantClient(path=url)
    try:
        await _make_collection(client, indexed="://" in url)
    except BaseException:
        await client.close()
        raise
    return client


async def _make_collection(client: AsyncQdrantClient, *, indexed: bool) -> None:
    """Makes the collection, once; indexes that are there already stay. The local mode has none."""
    if not await client.collection_exists(_COLLECTION):
        await client.create_collection(
            _COLLECTION,
            # Unit vectors: the inner product is the cosine.
            vectors_config={_EMBEDDING: models.VectorParams(size=DIMENSIONS, distance=models.Distance.DOT)},
            sparse_vectors_config={_TERMS: models.SparseVectorParams()},
            # A graph a tenant and none over all: a shared one finds half of what it should.
            hnsw_config=models.HnswConfigDiff(m=0, payload_m=16, ef_construct=128),
        )
    for key in ("tenant", "document", "entries") if indexed else ():
        schema = models.KeywordIndexParams(
            type=models.KeywordIndexType.KEYWORD, is_tenant=True if key == "tenant" else None
        )
        await client.create_payload_index(_COLLECTION, key, schema)


async def _found(
    client: AsyncQdrantClient,
    using: str,
    asked: list[float] | models.SparseVector,
    limit: int,
    conditions: list[models.FieldCondition],
) -> list[Item]:
    answer = await client.query_points(
        _COLLECTION,
        query=asked,
        using=using,
        limit=limit,
        query_filter=models.Filter(must=[*conditions]),
        search_params=models.SearchParams(hnsw_ef=max(128, limit)),
        with_payload=["item"],
        with_vectors=True,
    )
    return [_item(point) for point in answer.points]


def _point(tenant: str, item: Item) -> models.PointStruct:
    vectors: dict[str, Any] = {_EMBEDDING: item.vector.tolist()}
    if len(item.terms.ids):
        vectors[_TERMS] = _sparse(item.terms)
    payload = {
        "tenant": tenant,
        "document": digests.digest(item.payload[DOCUMENT]),
        "version": digests.digest(item.payload[VERSION]),
        "entries": digests.entries(item),
        "item": {"id": item.id, "payload": dict(item.payload)},
    }
    return models.PointStruct(id=str(UUID(digests.digest(tenant, item.id))), vector=vectors, payload=payload)


def _item(point: models.ScoredPoint) -> Item:
    stored = cast(dict[str, Any], point.payload)["item"]
    vectors = cast(dict[str, Any], point.vector)
    sparse = vectors.get(_TERMS) or models.SparseVector(indices=[], values=[])
    terms = Terms(np.array(sparse.indices, np.int32), np.array(sparse.values, np.float32))
    return Item(stored["id"], np.array(vectors[_EMBEDDING], np.float32), terms, stored["payload"])


def _sparse(terms: Terms) -> models.SparseVector:
    return models.SparseVector(indices=terms.ids.tolist(), values=terms.weights.tolist())


def _of(tenant: str) -> models.FieldCondition:
    return _among("tenant", [checked_tenant(tenant)])


def _in(document: str) -> models.FieldCondition:
    return _among("document", [digests.digest(document)])


def _among(key: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=values))
