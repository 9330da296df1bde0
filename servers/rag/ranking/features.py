"""What the ranker sees of a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from servers.rag.lexical.words import is_arabic, words
from servers.rag.ranking.question import WAYS, Question

Values = NDArray[np.float64]

_TRUST = np.array([1.0, 0.8, 1.0, 0.8])
"""What a match of each way is worth beside one by stem."""

_SURE = 0.5
"""Worth above which a word of the question is taken to be said."""
_WINDOW = 21
"""Words within which matches support each other: a sentence."""
_SATURATION, _AVERAGE = 0.9, 80.0
_NEIGHBOURS = 3
"""Words that a match may stand behind that of the word before it in the question."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may answer: its words by title and text, and what the vector store says of it."""

    title: str
    text: str
    nearness: float
    overlap: float


FEATURES: Final = (
    "nearness",
    "nearness_gap",  # to the nearest candidate
    "nearness_lead",  # of the nearest over the median one
    "overlap",  # share of what the question's terms could give
    "overlap_part",  # of the greatest among the candidates
    "stem",  # shares of the question's words that match by each way, weighted by how rare they are …
    "skeleton",
    "concept",
    "part",
    "any",  # … and by the best way
    "any_gap",  # to the candidate that matches most
    "rare",  # `any`, the rarest words counting most
    "rare_gap",
    "often",  # `any`, more for words that stand there more than once
    "often_gap",
    "missing",  # the rarest word that does not match, by the rarest of the question
    "title",  # `any` of the title alone
    "precision",  # share of the title's words that match, of the text's where there is no title
    "window",  # `any` of the best sentence's width
    "window_gap",
    "neighbours",  # share of the question's pairs of words that stand together
    "passage_length",
    "question_length",
    "same_script",
)


def features_of(question: Question, ideal: float, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
    """What is seen of each candidate, shape (len(candidates), len(FEATURES)); `ideal` is the overlap's scale."""
    nearness = np.array([candidate.nearness for candidate in candidates])
    overlap = np.array([candidate.overlap for candidate in candidates]) / max(ideal, 1e-6)
    columns = _seen(question, [words(one.title) for one in candidates], [words(one.text) for one in candidates])
    columns |= {
        "nearness": nearness,
        "nearness_gap": nearness - nearness.max(),
        "nearness_lead": np.full(len(candidates), nearness.max() - np.median(nearness)),
        "overlap": overlap,
        "overlap_part": overlap / max(overlap.max(), 1e-6),
        **{f"{name}_gap": columns[name] - columns[name].max() for name in ("any", "rare", "often", "window")},
        "question_length": np.full(len(candidates), np.log1p(len(question.words)) / 3),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)


def _seen(question: Question, titles: Sequence[list[str]], texts: Sequence[list[str]]) -> dict[str, Values]:
    """What the words of the candidates say of the question's; all candidates at once."""
    count, size = len(titles), len(question.words)
    weights = np.array(question.weights)
    in_titles, in_texts = np.array([*map(len, titles)]), np.array([*map(len, texts)])
    heads = np.where(in_titles, in_titles, in_texts)

    rows, strengths = question.matches(set().union(*titles, *texts))
    worths = strengths * _TRUST
    worth = worths.max(2)
    first = np.take_along_axis(worths, (worths > 0).argmax(2)[:, :, None], 2)[:, :, 0]  # by its first way

    # Row of `strengths` of each word, (candidates, words); few match, so most of what follows looks at those alone.
    lengths = in_titles + in_texts
    row_at = np.zeros((count, max(1, lengths.max())), np.intp)
    all_said = chain.from_iterable(chain.from_iterable(zip(titles, texts, strict=True)))
    row_at[np.arange(row_at.shape[1]) < lengths[:, None]] = np.fromiter(map(rows.__getitem__, all_said), np.intp)
    whose, place = row_at.nonzero()
    matched = row_at[whose, place]
    by_way = _by_owner(np.maximum, strengths[matched], whose, count)
    best = (by_way * _TRUST).max(2)
    title = _by_owner(np.maximum, worth[matched] * (place < in_titles[whose])[:, None], whose, count)
    often = _by_owner(np.add, first[matched], whose, count)
    often /= often + (_SATURATION * (0.5 + 0.5 * in_texts / _AVERAGE))[:, None]

    total, squares = question.total, weights**2
    ways = worths > _SURE
    in_order = (ways[:, :-1].argmax(2) < WAYS - ways[:, 1:, ::-1].argmax(2)).T
    sure = np.where(worth > _SURE, worth * weights, 0).T[:, row_at]  # (words of the question, candidates, words)
    shares = {
        **dict(zip(("stem", "skeleton", "concept", "part"), np.moveaxis(by_way, 2, 0) @ weights, strict=True)),
        "any": best @ weights,
        "often": often @ weights,
        "title": title @ weights,
        "window": _widest(sure),
    }
    return {
        **{name: share / total for name, share in shares.items()},
        "rare": best @ squares / (squares.sum() or 1.0),
        "missing": np.where(best < _SURE, weights, 0).max(1, initial=0) / question.heaviest,
        "precision": np.bincount(whose[place < heads[whose]], minlength=count) / np.maximum(1, heads),
        "neighbours": _together(sure > 0, in_order[:, row_at]) / max(1, size - 1),
        "passage_length": np.log1p(in_texts) / 5,
        "same_script": np.array([_script(question.words) == _script(text) for text in texts], float),
    }


def _by_owner(operation: np.ufunc, values: Values, owners: NDArray[np.intp], count: int) -> Values:
    """The values of each owner reduced to one, zeros where it has none: (count, …); `owners` ascend."""
    reduced = np.zeros((count, *values.shape[1:]))
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    if len(starts):
        reduced[owners[starts]] = operation.reduceat(values, starts)
    return reduced


def _widest(worth: Values) -> Values:
    """The greatest worth of different words within a window, of each candidate."""
    padded = np.pad(worth, ((0, 0), (0, 0), (_WINDOW - 1, 0)))
    width = 1
    while width < _WINDOW:  # of wider windows, from two that overlap
        step = min(width, _WINDOW - width)
        padded = np.maximum(padded[..., step:], padded[..., :-step])
        width += step
    widest: Values = padded.sum(0).max(1)
    return widest


def _together(said: NDArray[np.bool_], in_order: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many of the question's words stand closely behind the word before them, for each candidate.

    One word of a passage is both where it matches the one before by an earlier way: so the ranker learnt it.
    """
    before = said[:-1] & in_order
    for behind in range(1, _NEIGHBOURS + 1):
        before[..., behind:] |= said[:-1, :, :-behind]
    together: NDArray[np.intp] = (said[1:] & before).any(2).sum(0)
    return together


def _script(found: Sequence[str]) -> bool:
    """Whether most words are in Arabic letters."""
    return 2 * sum(map(is_arabic, found[:50])) > len(found[:50])
