"""Lines as they are seen, from left to right, back in the order they are read: Unicode's bidirectional rules reversed.

A PDF places glyphs. Whatever order a producer wrote them in, where they stand says how a line reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Final, Literal, TypeAlias

_Kind: TypeAlias = Literal["R", "L", "N", ""]  # letters from right to left, from left to right, numbers, others

_KINDS: Final[dict[str, _Kind]] = {"R": "R", "AL": "R", "NSM": "R", "L": "L", "EN": "N", "AN": "N"}
_WITHIN_NUMBERS: Final = frozenset(".,:/")  # in Arabic neither `-` nor `+` nor `%`
_OPENING: Final = "([{«"
_CLOSING: Final = ")]}»"
_MIRRORED: Final = str.maketrans(_OPENING + _CLOSING, _CLOSING + _OPENING)


def rightward(text: str) -> int:
    """How many more letters of a text are read from right to left than from left to right."""
    kinds = [_kind(letter) for letter in text]
    return kinds.count("R") - kinds.count("L")


def logical(glyphs: Sequence[str], *, right_to_left: bool) -> str:
    """The text of a line whose glyphs stand in this order from left to right; a glyph may be several letters.

    `right_to_left` is how its paragraph reads. A line without letters from right to left comes back as it is.
    """
    kinds = [_kind(glyph) for glyph in glyphs]
    if "R" not in kinds:
        return "".join(glyphs)
    base: _Kind = "R" if right_to_left else "L"
    kinds = _with_numbers(glyphs, kinds)
    kinds = _with_neutrals(kinds, base)
    runs = [
        (kind, [glyph for _, glyph in run])
        for kind, run in groupby(zip(kinds, glyphs, strict=True), lambda pair: pair[0])
    ]
    if base == "R":
        return _upright("".join("".join(reversed(run) if kind == "R" else run) for kind, run in reversed(runs)))
    return "".join(_embedded(runs))


def _kind(glyph: str) -> _Kind:
    return _KINDS.get(unicodedata.bidirectional(glyph[:1]), "")


def _with_numbers(glyphs: Sequence[str], kinds: list[_Kind]) -> list[_Kind]:
    """Signs between digits belong to their number, and numbers behind Latin letters to those: `Galaxy S24 Ultra 5G`."""
    whole = [
        "N" if glyph in _WITHIN_NUMBERS and kinds[index - 1 : index] == ["N"] == kinds[index + 1 : index + 2] else kind
        for index, (glyph, kind) in enumerate(zip(glyphs, kinds, strict=True))
    ]
    last: _Kind = ""
    settled: list[_Kind] = []
    for kind in whole:
        last = kind if kind in {"R", "L"} else last
        settled.append("L" if kind == "N" and last == "L" else kind)
    return settled


def _with_neutrals(kinds: list[_Kind], base: _Kind) -> list[_Kind]:
    """What stands between letters of one direction goes with them, all else with the paragraph; numbers count as `R`."""
    settled: list[_Kind] = []
    before = base
    for kind, run in groupby(enumerate(kinds), lambda pair: pair[1]):
        indices = [index for index, _ in run]
        if kind:
            settled += [kind] * len(indices)
            before = "R" if kind == "N" else kind
            continue
        following = kinds[indices[-1] + 1 : indices[-1] + 2]
        after = "R" if following == ["N"] else (following or [base])[0]
        settled += [before if before == after else base] * len(indices)
    return settled


def _embedded(runs: list[tuple[_Kind, list[str]]]) -> list[str]:
    """The words of a left-to-right line: neighbouring runs of Arabic and numbers are read from the right, as one."""
    texts: list[str] = []
    for latin, group in groupby(runs, lambda run: run[0] == "L"):
        inner = [("".join(reversed(run)) if kind == "R" else "".join(run)) for kind, run in group]
        texts += inner if latin or len(inner) == 1 else [_upright("".join(reversed(inner)))]
    return texts


def _upright(text: str) -> str:
    """Brackets the right way round: producers write what they look like, or what they mean."""
    first = next((letter for letter in text if letter in _OPENING + _CLOSING), "")
    return text.translate(_MIRRORED) if first and first in _CLOSING else text
