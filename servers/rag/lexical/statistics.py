"""How rare terms are: in a tenant's knowledge, where it is large enough to tell, else in texts of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from servers.rag.lexical.concepts import read_table

_PRIOR = 40.0
"""Passages of any kind that stand beside a tenant's own: what decides while there are fewer."""

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many of `passages` hold each term: `ids` ascend, `frequencies` are of the same length."""

    passages: int
    ids: Ids
    frequencies: Ids

    def rarity(self, ids: Ids) -> NDArray[np.float32]:
        """The weight of each term: the logarithm of how many passages there are for one that holds it."""
        held = _looked_up(ids, self.ids, self.frequencies) + _PRIOR * _common(ids)
        return np.log1p((self.passages + _PRIOR - held + 0.5) / (held + 0.5)).astype(np.float32)


UNKNOWN = Statistics(0, np.empty(0, np.int32), np.empty(0, np.int32))
"""Those of a tenant that nobody has counted yet."""


def _common(ids: Ids) -> NDArray[np.float32]:
    return _looked_up(ids, *_table())


@cache
def _table() -> tuple[Ids, NDArray[np.float32]]:
    """Terms that many texts hold, ascending, and the share of texts."""
    from servers.rag.lexical.terms import terms_of  # which needs this module

    shares: dict[int, float] = {}
    for word, share in read_table().common.items():
        for term, part in zip(*terms_of(word), strict=True):
            shares[term] = min(1.0, shares.get(term, 0.0) + part * share)
    ids = sorted(shares)
    return np.array(ids, np.int32), np.array([shares[term] for term in ids], np.float32)


def _looked_up(ids: Ids, known: Ids, values: NDArray[np.int32] | NDArray[np.float32]) -> NDArray[np.float32]:
    """The value of each id, 0 for those that are not known."""
    found = np.zeros(len(ids), np.float32)
    if len(known):
        places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        there = known[places] == ids
        found[there] = values[places[there]]
    return found
