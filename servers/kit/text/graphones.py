"""A joint model of two spellings of one word, in Latin letters and in Arabic ones.

A pair of spellings is a sequence of graphones, units of at most two letters on each side that belong together: `kif`
and `كيف` are k·ك i·ي f·ف, and `hna` and `حنا` h·ح n·ن a·ا. A model of what follows each three graphones, smoothed by the
method of Witten and Bell, says how usual a sequence is. The likeliest sequences that spell one side tell the candidates for the
other, so one table serves both directions (Bisani and Ney, "Joint-sequence models for grapheme-to-phoneme conversion",
2008).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from heapq import nlargest
from typing import Final, Literal, NamedTuple

Side = Literal[0, 1]
LATIN: Final = 0
ARABIC: Final = 1

LONGEST_WORD: Final = 32
"""Letters of a word that is looked at; the work per letter is bounded."""

BOUNDARY: Final = 0
"""Index of the graphone that stands before the first and behind the last of a word."""

CONTEXT: Final = 3
"""Graphones that tell what follows. Two spell unseen words as well, but of the 250 commonest 79 % instead of 88 %."""

_BEAM = 10  # 6 loses half a percent of the candidates, 16 costs half as much time again
_PRIOR = 5  # weight of shorter contexts; 2 loses a percent or two
_UNSEEN = 1e-6
_LONGEST_SIDE = 2


class Graphone(NamedTuple):
    """Latin letters and the Arabic ones that stand for them; either side may be empty, both only of `BOUNDARY`."""

    latin: str
    arabic: str


History = tuple[int, ...]
"""Indices of graphones that follow each other."""

Counts = Mapping[History, Mapping[int, int]]
"""How often each graphone followed each `CONTEXT` others."""

_Path = tuple[History, str]  # the last graphones, and what they and those before them write on the other side


class JointModel:
    """Spells words of one script in the other."""

    def __init__(self, graphones: Sequence[Graphone], counts: Counts) -> None:
        self._graphones = graphones
        self._counts: dict[History, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for history, followers in counts.items():
            for forgotten in range(CONTEXT + 1):
                known = self._counts[history[forgotten:]]
                for unit, count in followers.items():
                    known[unit] += count
        self._totals = {history: sum(followers.values()) for history, followers in self._counts.items()}
        self._units: tuple[dict[str, list[int]], ...] = (defaultdict(list), defaultdict(list))
        for index, graphone in enumerate(graphones[BOUNDARY + 1 :], start=BOUNDARY + 1):
            for side in (LATIN, ARABIC):
                self._units[side][graphone[side]].append(index)
        self._probability = lru_cache(maxsize=1 << 17)(self._smoothed)

    def spell(self, word: str, side: Side, limit: int) -> list[str]:
        """The likeliest spellings in the other script of a word written in `side`'s, at most `limit`, best first.

        None where the word is longer than `LONGEST_WORD` or holds a letter that the model does not know.
        """
        if not 0 < len(word) <= LONGEST_WORD:
            return []
        units = self._units[side]
        paths: list[dict[_Path, float]] = [defaultdict(float) for _ in range(len(word) + 1)]
        paths[0][(BOUNDARY,) * CONTEXT, ""] = 1.0
        for at, reached in enumerate(paths):
            best = nlargest(_BEAM, reached.items(), key=_chance)
            # Letters that the word leaves out are written at most once between two that it has.
            best = nlargest(_BEAM, [*best, *self._extended(best, units[""], side)], key=_chance)
            for size in range(1, min(_LONGEST_SIDE, len(word) - at) + 1):
                for path, chance in self._extended(best, units.get(word[at : at + size], ()), side):
                    paths[at + size][path] += chance
        return self._finished(best, limit)

    def _extended(
        self, paths: Iterable[tuple[_Path, float]], units: Sequence[int], side: Side
    ) -> list[tuple[_Path, float]]:
        return [
            (
                ((*history[1:], unit), written + self._graphones[unit][1 - side]),
                chance * self._probability(history, unit),
            )
            for (history, written), chance in paths
            for unit in units
        ]

    def _finished(self, paths: Iterable[tuple[_Path, float]], limit: int) -> list[str]:
        chances: dict[str, float] = defaultdict(float)
        for (history, written), chance in paths:
            if written:
                chances[written] += chance * self._probability(history, BOUNDARY)
        return nlargest(limit, chances, key=chances.__getitem__)

    def _smoothed(self, history: History, unit: int) -> float:
        """Chance of a graphone after others: what was counted, mixed with its chance after fewer of them."""
        shorter = self._smoothed(history[1:], unit) if history else _UNSEEN
        followers = self._counts.get(history)
        if not followers:
            return shorter
        prior = _PRIOR * len(followers)
        return (followers.get(unit, 0) + prior * shorter) / (self._totals[history] + prior)


def _chance(item: tuple[_Path, float]) -> float:
    return item[1]
