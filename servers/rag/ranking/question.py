"""A question's words, each with what it weighs and how words of passages match it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.rag.lexical.memo import Memo
from servers.rag.lexical.statistics import Statistics
from servers.rag.lexical.terms import SPAN, Family, terms_of
from servers.rag.lexical.words import words

WAYS: Final = 4
"""In how many ways words match: by the three families of terms, and by a part of how they are written."""

_PART = len(Family)
_MOST_WORDS = 48
"""Words of a question that are looked for, the rarest: a longer one is a story."""
_GRAM = 4
_LEAST_PART = 0.34


class Hit(NamedTuple):
    """That a word matches the question's word at a place, in a way, and how well: 0 to 1."""

    place: int
    way: int
    strength: float


class Question:
    """What passages are compared with: the words of a question without repeats, in order, and their weights."""

    def __init__(self, text: str, statistics: Statistics) -> None:
        found = list(dict.fromkeys(words(text)))
        own = np.array([terms_of(word).ids[0] for word in found], np.int32)  # the stem's
        weights = statistics.rarity(own).tolist()
        if len(found) > _MOST_WORDS:
            kept = sorted(sorted(range(len(found)), key=lambda at: -weights[at])[:_MOST_WORDS])
            found, weights = [found[at] for at in kept], [weights[at] for at in kept]
        self.words: Sequence[str] = found
        self.weights: Sequence[float] = weights
        self.total = sum(weights) or 1.0
        self.heaviest = max(weights, default=1.0)
        self._wanted: dict[int | str, list[tuple[int, int, float]]] = {}
        for place, word in enumerate(found):
            for term, share in zip(*terms_of(word), strict=True):
                self._wanted.setdefault(term, []).append((place, term // SPAN, share))
            for gram in (grams := _grams(word)):
                self._wanted.setdefault(gram, []).append((place, _PART, 1 / len(grams)))
        self._marks = frozenset(self._wanted)
        self._known: dict[str, tuple[Hit, ...]] = {}

    def matches(self, passages: Collection[str]) -> tuple[dict[str, int], NDArray[np.float64]]:
        """The row of each normalised word, and the strengths in it: (rows, words of the question, WAYS).

        The first row is that of words that match none of the question's: zeros.
        """
        differs = self._marks.isdisjoint  # as most words do: one look says so
        found = {word: hits for word in passages if not differs(_MARKS[word]) and (hits := self.hits(word))}
        strengths = np.zeros((1 + len(found), len(self.words), WAYS))
        for row, hits in enumerate(found.values(), start=1):
            for place, way, strength in hits:
                strengths[row, place, way] = strength
        return dict.fromkeys(passages, 0) | {word: row for row, word in enumerate(found, start=1)}, strengths

    def hits(self, word: str) -> tuple[Hit, ...]:
        """The question's words that a normalised word matches, the best of each way."""
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = self._matched(word)
        return known

    def _matched(self, word: str) -> tuple[Hit, ...]:
        best: dict[tuple[int, int], float] = {}
        shared = self._marks & _MARKS[word]
        shares: dict[int | str, float] = dict(zip(*terms_of(word), strict=True)) if shared else {}
        for mark in shared:
            for place, way, wanted in self._wanted[mark]:
                held = best.get((place, way), 0.0)
                best[place, way] = held + wanted if way == _PART else max(held, (shares[mark] * wanted) ** 0.5)
        return tuple(
            Hit(place, way, min(1.0, strength))
            for (place, way), strength in best.items()
            if way != _PART or strength >= _LEAST_PART
        )


def _grams(word: str) -> frozenset[str]:
    """The character 4-grams of a word and of its borders."""
    framed = f"<{word}>"
    return frozenset(framed[at : at + _GRAM] for at in range(max(1, len(framed) - _GRAM + 1)))


def _marks(word: str) -> frozenset[int | str]:
    """All that a word can be matched by."""
    return frozenset((*terms_of(word).ids, *_grams(word)))


_MARKS: Final = Memo(_marks)
