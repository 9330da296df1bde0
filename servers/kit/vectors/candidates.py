"""What two searches of one question found, measured by both measures: for stores that search by one at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from servers.kit.vectors.interfaces import Item, Match, Terms, Vector


def overlap(first: Terms, second: Terms) -> float:
    """The inner product."""
    _, here, there = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    return float(first.weights[here] @ second.weights[there])


def matches(vector: Vector, terms: Terms, found: Iterable[Item]) -> list[Match]:
    """Each item once, the nearest first."""
    once = {item.id: item for item in found}
    measured = [
        Match(item.id, float(item.vector @ vector), overlap(item.terms, terms), item.payload) for item in once.values()
    ]
    return sorted(measured, key=lambda match: -match.nearness)
