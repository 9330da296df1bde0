"""A corpus in memory, searched exactly: what stands in for the stores, so that the product's own retrieval can be measured.

Vectors, terms and statistics are those the stores would hold; a search looks at every passage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from salambot.rag.v1 import rag_pb2
from scipy.sparse import csr_matrix

from servers.kit.vectors import Item, Match, Terms
from servers.kit.vectors.interfaces import TERMS, Filters, Vector
from servers.rag.embedding import Embedder
from servers.rag.index import items_of
from servers.rag.lexical.statistics import Statistics
from servers.rag.passages import Passage
from servers.rag.standing import Standing
from servers.rag.vocabulary import LANGUAGES

_LOC = "#"


class Text(NamedTuple):
    """A passage of a corpus; `language` is one of the five words."""

    id: str
    title: str
    text: str
    language: str
    loc: str = _LOC
    """Its place, where several texts make a document."""
    topic: str = ""
    """What translations of it share; its id when empty."""


class Knowledge:
    """A VectorStore's `search`, `read` and `statistics_of` for one tenant, over texts."""

    def __init__(self, texts: Sequence[Text], items: Sequence[Item]) -> None:
        self._items = items
        self._vectors = np.stack([item.vector for item in items])
        self._weights = np.zeros(TERMS, np.float32)
        self._terms = _matrix([item.terms for item in items])
        self._shown = {item.id: _standing(text) for item, text in zip(items, texts, strict=True)}
        held = np.bincount(np.concatenate([item.terms.ids for item in items]), minlength=1)
        ids = np.flatnonzero(held > 1)
        self._statistics = Statistics(len(items), ids.astype(np.int32), held[ids].astype(np.int32))

    @classmethod
    async def of(cls, texts: Sequence[Text], embedder: Embedder) -> Knowledge:
        """Texts indexed as a tenant's documents are. Raises UpstreamError."""
        items: list[Item] = []
        for text in texts:
            items += await items_of(embedder, _document(text), [Passage(text.loc, text.title, text.text)])
        return cls(texts, items)

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore; filters are not looked at."""
        nearness = self._vectors @ vector
        self._weights[terms.ids] = terms.weights
        overlap = self._terms @ self._weights
        self._weights[terms.ids] = 0
        near = np.argsort(-nearness, kind="stable")[:limit]
        alike = np.argsort(-overlap, kind="stable")[:limit]
        places = {int(at): None for at in (*near, *alike[overlap[alike] > 0])}
        found = [
            Match(self._items[at].id, float(nearness[at]), float(overlap[at]), self._items[at].payload) for at in places
        ]
        return sorted(found, key=lambda match: -match.nearness)

    async def read(self, tenant: str, matches: Sequence[Match], *, staff: bool) -> Mapping[str, Standing]:
        """See Read."""
        return {match.id: self._shown[match.id] for match in matches}

    async def statistics_of(self, tenant: str) -> Statistics:
        """See StatisticsOf."""
        return self._statistics


def _document(text: Text) -> rag_pb2.Document:
    return rag_pb2.Document(
        id=text.id,
        title=text.title,
        language=LANGUAGES[text.language],
        version=1,
        attributes={"topic": text.topic} if text.topic else {},
    )


def _standing(text: Text) -> Standing:
    return Standing(text.id, text.loc, text.title, text.text, "", text.language)


def _matrix(rows: Sequence[Terms]) -> csr_matrix:
    starts = np.cumsum([0, *(len(row.ids) for row in rows)])
    values = np.concatenate([row.weights for row in rows]), np.concatenate([row.ids for row in rows]), starts
    return csr_matrix(values, shape=(len(rows), TERMS))
