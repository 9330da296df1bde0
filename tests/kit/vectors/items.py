"""Items as the tests of vector stores make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from servers.kit.vectors import Item, Match, Terms
from servers.kit.vectors.interfaces import DIMENSIONS, Vector

AXES = np.eye(DIMENSIONS, dtype=np.float32)
NOWHERE = np.zeros(DIMENSIONS, np.float32)
"""The vector of a question that asks by its terms alone."""


def terms(weights: Mapping[int, float]) -> Terms:
    ids = sorted(weights)
    return Terms(np.array(ids, np.int32), np.array([weights[each] for each in ids], np.float32))


SILENT = terms({})
"""The terms of a question that asks by its vector alone."""


def item(name: str, vector: Vector, document: str, spoken: Mapping[int, float] | None = None, **payload: str) -> Item:
    return Item(name, vector, terms(spoken or {}), {"document": document, "version": "1", **payload})


def directions(count: int, seed: int = 0) -> Vector:
    """Unit vectors, shape (count, DIMENSIONS)."""
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def ids(matches: Iterable[Match]) -> list[str]:
    return [match.id for match in matches]
