"""An index of names, which finds those that a sequence of words holds; the cost does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from servers.nlu.entity_types.spelling import MOST_WORDS

_PREFIX = 3
_SPACED = 5  # letters of a name that may be written in one word or in several: `si m'appelle` names no `sim`


Name: TypeAlias = tuple[str, str, bool]
"""A way to name a value: type, value, whether in Arabic letters.

Plain tuples of plain values are none of the garbage collector's business; a hundred thousand of anything else would
have it halt the process for a tenth of a second.
"""


class Hit(NamedTuple):
    """Words `first` to `last` hold a name, but for the first `skipped` letters."""

    first: int
    last: int
    skipped: int
    name: Name


Readings = Sequence[Sequence[tuple[int, str]]]
"""For each word of a message what it may be, the whole word first: letters left out at its start, and the rest."""


class Names:
    """Names by what is left when their words are put together with `glue`: `iphone 15` is `iphone15` without."""

    def __init__(self, glue: str) -> None:
        self._glue = glue
        self._names: dict[str, tuple[Name, ...]] = {}
        self._longest: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def add(self, words: Sequence[str], added: Name) -> None:
        """Adds a name that is spelt so; the first value of a type that is called so stays."""
        key = words[0]
        for word in words[1:]:
            key = self._joined(key, word)
        prefix = key[:_PREFIX]
        self._longest[prefix] = max(len(key), self._longest.get(prefix, 0))
        if _needs_blanks(key):
            key = " ".join(words)
        names = self._names.get(key, ())
        if all(name[0] != added[0] for name in names):
            self._names[key] = (*names, added)

    def find(self, words: Readings) -> Iterator[Hit]:
        """Every name that stands in the message, also where they overlap."""
        for first, readings in enumerate(words):
            for skipped, start in readings:
                for last, key in self._keys(words, first, start):
                    for name in self._names.get(key, ()):
                        yield Hit(first, last, skipped, name)

    def _keys(self, words: Readings, first: int, start: str) -> Iterator[tuple[int, str]]:
        """What names that begin with the word `first`, read as `start`, could be found by."""
        key, longest = start, 0
        for last in range(first + 1, min(first + MOST_WORDS, len(words)) + 1):
            yield (
                last,
                " ".join([start, *(word[0][1] for word in words[first + 1 : last])]) if _needs_blanks(key) else key,
            )
            if len(key) >= _PREFIX:
                longest = longest or self._longest.get(key[:_PREFIX], 0)
                if len(key) >= longest:
                    return
            if last < len(words):
                key = self._joined(key, words[last][0][1])

    def _joined(self, left: str, right: str) -> str:
        glue = " " if left[-1].isdigit() and right[0].isdigit() else self._glue  # `1 5` is not 15
        return f"{left}{glue}{right}"


def _needs_blanks(key: str) -> bool:
    return len(key) < _SPACED and key.isalpha()
