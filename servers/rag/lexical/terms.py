"""Texts as weighted terms: the sparse half of retrieval, as the vector store keeps and compares it.

Each word brings terms of three families, so that a question finds a passage by what is written (its stem), by how it
sounds (its skeleton, the same in Latin and in Arabic letters) and by what it means (English stems that it stands for, the
same in all languages). The weights of a passage's terms saturate as in BM25; those of a question's terms say how rare
they are in the tenant's knowledge. The inner product of both is the overlap.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from functools import cache, lru_cache
from hashlib import sha256
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from servers.kit.vectors import Terms
from servers.kit.vectors.interfaces import TERMS
from servers.rag.lexical.concepts import TABLE, read_table
from servers.rag.lexical.statistics import Statistics
from servers.rag.lexical.words import skeletons, stem, words

VERSION: Final = 1
"""Grows when the rules of this package give other terms: passages are indexed anew."""

MOST: Final = 4000
"""Terms of a text that are kept: the port's limit."""


class Family(IntEnum):
    """What two texts have in common when they share a term."""

    STEM = 0
    SKELETON = 1
    CONCEPT = 2


SPAN: Final = TERMS // 4
"""Ids of a family run from its value times this, and are as many."""

FAMILY_WEIGHTS: Final = np.array([1.0, 0.35, 0.6], np.float32)
"""What the families count in the overlap of a question."""

TITLE: Final = 2.0
"""How often a word of the title counts."""

_SATURATION, _LENGTH, _AVERAGE = 0.9, 0.5, 80.0  # of BM25: k1, b, and words of an average passage
_STRANGER = 0.75  # share of a word that no table knows in its being an English word


class Word(NamedTuple):
    """A word's terms, and how much it is each of them."""

    ids: tuple[int, ...]
    shares: tuple[float, ...]


@cache
def digest() -> bytes:
    """32 bytes that differ when the terms of texts would."""
    return sha256(VERSION.to_bytes(4) + TABLE.read_bytes()).digest()


def term(family: Family, key: str) -> int:
    """The id of a term."""
    return family * SPAN + crc32(key.encode()) % SPAN


@lru_cache(maxsize=1 << 16)
def terms_of(word: str) -> Word:
    """The terms of a normalised word."""
    stemmed = stem(word)
    found = [(term(Family.STEM, stemmed), 1.0)]
    found += [(term(Family.SKELETON, skeleton), 1.0) for skeleton in skeletons(word)]
    meanings = read_table().meanings.get(stemmed, {})
    found += [(term(Family.CONCEPT, meaning), chance) for meaning, chance in meanings.items()]
    if not meanings and word.isascii() and word.isalpha():
        found.append((term(Family.CONCEPT, stemmed), _STRANGER))
    ids, shares = zip(*found, strict=True)
    return Word(ids, shares)


def passage_terms(title: str, text: str) -> Terms:
    """The terms of a passage, weighted by how often they stand in it."""
    counts = Counter(words(text))
    length = counts.total()
    for word in words(title):
        counts[word] += TITLE  # type: ignore[assignment]
    ids, often = _gathered(counts)
    norm = _SATURATION * (1 - _LENGTH + _LENGTH * length / _AVERAGE)
    return _terms(ids, often * (_SATURATION + 1) / (often + norm))


def question_terms(text: str, statistics: Statistics) -> Terms:
    """The terms of a question, weighted by their families and by how rare they are."""
    ids, shares = _gathered(Counter(words(text)))
    return _terms(ids, np.minimum(shares, 2) * FAMILY_WEIGHTS[ids // SPAN] * statistics.rarity(ids))


def _gathered(counts: Counter[str]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Ids of all terms, ascending, and how often each stands in the text."""
    flat: list[int] = []
    often: list[float] = []
    for word, count in counts.items():
        ids, shares = terms_of(word)
        flat += ids
        often += [count * share for share in shares]
    unique, inverse = np.unique(np.array(flat, np.int32), return_inverse=True)
    return unique, np.bincount(inverse, often, len(unique)).astype(np.float32)


def _terms(ids: NDArray[np.int32], weights: NDArray[np.float32]) -> Terms:
    """At most MOST of the terms, the heaviest, without those of no weight."""
    if len(ids) > MOST:
        kept = np.sort(np.argpartition(-weights, MOST)[:MOST])
        ids, weights = ids[kept], weights[kept]
    some = weights > 0
    return Terms(ids[some], weights[some].astype(np.float32))
