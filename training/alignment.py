"""Finds which sentence of a translated set is the translation of which: order, length, numbers and the lexicon tell.

The Arabic set keeps the order of the English one, label by label, and leaves some sentences out: the best path through
the two lists that never goes back (dynamic programming) pairs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servers.kit.text.normalise import normalise
from training.corpus import read_lexicon
from training.public import ARABIC, passages

_AFFIXES = re.compile(r"(?:وال|بال|لل|ال|و|ب|ل|ف)?(.{2,}?)(?:ها|هم|ه|ي|ك|نا|ات|ين|ون)?")
_NUMBER = re.compile(r"\d+")
_PREFIX = 5  # letters of an English word that stand for its stem
_LETTERS = 0.85  # Arabic letters for one English one
_NO_PARTNER = -0.2  # what a sentence without a partner costs
_SKIPPED, _UNPAIRED, _PAIRED = range(3)

Scores = NDArray[np.float32]


def translations() -> list[tuple[str, str]]:
    """Pairs of an Arabic sentence and the English one that it translates."""
    english = dict(passages("banking77"))
    gloss = _Gloss()
    return [
        (arabic[row], english[label][column])
        for label, arabic in passages(ARABIC)
        for row, column in best_path(gloss.scores(arabic, english[label]))
    ]


def best_path(scores: Scores) -> list[tuple[int, int]]:
    """Pairs (row, column), both growing, of the greatest sum; a row without a partner costs `_NO_PARTNER`."""
    rows, columns = scores.shape
    best = np.zeros((rows + 1, columns + 1))
    best[1:, 0] = _NO_PARTNER * np.arange(1, rows + 1)
    steps = np.full((rows + 1, columns + 1), _UNPAIRED, np.int8)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            choices = (
                best[row, column - 1],
                best[row - 1, column] + _NO_PARTNER,
                best[row - 1, column - 1] + scores[row - 1, column - 1],
            )
            steps[row, column] = step = int(np.argmax(choices))
            best[row, column] = choices[step]
    pairs, row, column = [], rows, columns
    while row:
        step = steps[row, column]
        if step == _PAIRED:
            pairs.append((row - 1, column - 1))
        row -= step != _SKIPPED
        column -= step != _UNPAIRED
    return pairs[::-1]


class _Gloss:
    """Arabic stems → beginnings of the English words that the lexicon translates them by."""

    def __init__(self) -> None:
        self._words: dict[str, set[str]] = {}
        for entry in read_lexicon():
            english = {word for phrase in entry.get("en", ()) for word in _english(phrase)}
            for phrase in (*entry.get("ar", ()), *entry.get("darija_arabic", ())):
                for word in normalise(phrase).split():
                    self._words.setdefault(_stem(word), set()).update(english)

    def scores(self, arabic: Sequence[str], english: Sequence[str]) -> Scores:
        """How much each Arabic sentence looks like a translation of each English one."""
        glosses = [
            set[str]().union(*(self._words.get(_stem(word), ()) for word in normalise(text).split())) for text in arabic
        ]
        words = [_english(text) for text in english]
        return np.array(
            [[_likeness(a, glosses[i], e, words[j]) for j, e in enumerate(english)] for i, a in enumerate(arabic)],
            np.float32,
        )


def _likeness(arabic: str, gloss: set[str], english: str, words: set[str]) -> float:
    shared = len(words & gloss) / (1 + len(words) ** 0.5)
    length = abs(np.log((len(arabic) + 5) / (len(english) * _LETTERS + 5)))
    question = ("؟" in arabic or "?" in arabic) == ("?" in english)
    numbers = set(_NUMBER.findall(arabic)) & set(_NUMBER.findall(english))
    return float(shared - 0.8 * length + 0.3 * question + 0.5 * len(numbers))


def _english(text: str) -> set[str]:
    return {word[:_PREFIX] for word in normalise(text).split() if len(word) > 2}


def _stem(word: str) -> str:
    match = _AFFIXES.fullmatch(word)
    return match[1] if match else word
