"""The port every vector store implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
"""Length of every vector: what the embedder puts out."""

TERMS = 1 << 22
"""How many terms there can be: ids of terms are below."""

DOCUMENT = "document"
"""Payload key of the document an item belongs to."""

VERSION = "version"
"""Payload key of the document's version an item belongs to: the unit that is pruned."""

Vector = NDArray[np.float32]
Filters = Mapping[str, str | tuple[str, ...]]
"""Payload key → the value it must have, or the values one of which it must have."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a text, each with its weight: `ids` ascend strictly, 0 ≤ id < TERMS; `weights` are above 0.

    Both have one length, at most 4,000.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Item:
    """What is kept and found: `vector` of unit length, shape (DIMENSIONS,); `payload` comes back and is filtered on."""

    id: str
    vector: Vector
    terms: Terms
    payload: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """An item found, and how well by both measures.

    `nearness` is the cosine of the angle between the vectors, -1 to 1; `overlap` is the inner product of the terms, 0 or
    more.
    """

    id: str
    nearness: float
    overlap: float
    payload: Mapping[str, str]


class VectorStore(Protocol):
    """Keeps vectors and terms by tenant; no operation ever sees or touches another tenant's.

    Raises UpstreamError while the store is out of reach, Timeout when the call's time is up.
    """

    async def put(self, tenant: str, items: Sequence[Item]) -> None:
        """Adds items, in the place of those with the same ids; every payload names its document and version.

        A search that begins after the return sees them; one that runs meanwhile may see some.
        """
        ...

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """The `limit` items nearest to `vector` (unit length) and the `limit` with the greatest overlap with `terms`.

        Among those that match all filters; an item without overlap is not found by terms. Nearest first, none twice, all
        with both measures. Without terms, or with a vector of zeros, the other measure alone decides.
        """
        ...

    async def prune(self, tenant: str, document: str, version: str) -> None:
        """Removes the document's items of all other versions; nothing happens when there are none."""
        ...

    async def delete(self, tenant: str, document: str) -> None:
        """Removes a document's items; nothing happens when there are none."""
        ...

    async def drop(self, tenant: str) -> None:
        """Removes all of a tenant's items."""
        ...

    async def check(self) -> None:
        """Returns when the store answers; raises when it does not."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
