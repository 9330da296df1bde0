"""The port every vector store implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
"""Length of every vector: what the embedder puts out."""

DOCUMENT = "document"
"""Payload key of the document an item belongs to: the unit that is replaced and deleted."""

Vector = NDArray[np.float32]
Filters = Mapping[str, str | tuple[str, ...]]
"""Payload key → the value it must have, or the values one of which it must have."""


@dataclass(frozen=True, slots=True)
class Item:
    """A vector to keep: unit length, shape (DIMENSIONS,); `payload` comes back with matches and is filtered on."""

    id: str
    vector: Vector
    payload: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """An item found; `score` is the cosine of the angle to the query, -1 to 1."""

    id: str
    score: float
    payload: Mapping[str, str]


class VectorStore(Protocol):
    """Keeps vectors by tenant; no operation ever sees or touches another tenant's.

    Raises UpstreamError while the store is out of reach.
    """

    async def replace(self, tenant: str, document: str, items: Sequence[Item]) -> None:
        """Puts `items` in the place of all the document's items; every item's payload names the document.

        Of items with one id, in the list or in two documents of the tenant, the one written last is kept.
        A search sees the old items or the new ones; the stores that cannot promise this say so in their module.
        """
        ...

    async def search(self, tenant: str, vector: Vector, limit: int, filters: Filters) -> list[Match]:
        """The `limit` items nearest to `vector` (unit length) among those that match all filters, nearest first."""
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
