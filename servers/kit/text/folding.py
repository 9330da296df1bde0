"""A text folded character by character: what patterns and word lists are matched against.

Like `normalise`, but each character gives at most one, so that the way back to the text as it was written is known:
lower case, no accents, one form for the variants of an Arabic letter, digits 0 to 9, any white space a blank. Vowel signs,
joiners, direction marks, tatweel and hamza are dropped. Punctuation stays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from servers.kit.text.normalise import normalise

_DROPPED = "\0"


class _Forms(dict[int, str]):
    """Table for `str.translate` that learns each character the first time it is met."""

    def __missing__(self, code: int) -> str:
        form = self[code] = _form(chr(code))
        return form


def _is_sign(character: str) -> bool:
    """Whether it belongs to the letter before it, and is dropped."""
    return character in "ءـ" or unicodedata.category(character) == "Mn"


def _form(character: str) -> str:
    if _is_sign(character) or unicodedata.category(character) == "Cf":
        return _DROPPED
    if character.isspace() or character == _DROPPED:
        return " "
    form = normalise(character)
    return form if len(form) == 1 else character


_forms = _Forms()


class Folded(NamedTuple):
    """A folded text, and where it came from."""

    text: str
    """The folded characters."""
    original: str
    """The text as it was written."""
    places: Sequence[int] | None
    """Offset of each folded character in the original; None where nothing was dropped and they are the same."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets into the original of `text[start:end]`, which is not empty, with the signs that follow its last letter."""
        if self.places is None:
            return start, end
        start, end = self.places[start], self.places[end - 1] + 1
        while end < len(self.original) and _is_sign(self.original[end]):
            end += 1
        return start, end

    def written(self, start: int, end: int) -> str:
        """`text[start:end]` as it was written."""
        start, end = self.span(start, end)
        return self.original[start:end]


@lru_cache(maxsize=256)
def fold(text: str) -> Folded:
    """Folds the text; never fails, may be empty. Kept for a moment: a message is folded for each of its readers."""
    folded = text.translate(_forms)
    if _DROPPED not in folded:
        return Folded(folded, text, None)
    places = [place for place, character in enumerate(folded) if character != _DROPPED]
    return Folded(folded.replace(_DROPPED, ""), text, places)
