"""Grammars: rules over the classes of a vocabulary, the same for all languages.

`in number unit` reads `dans 3 jours`, `mn daba 3 iyam` and `بعد 3 أيام`. A message in chunks is written as a string with one
letter for the class of each chunk, and the rules are regular expressions over it: linear, because no rule repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from servers.nlu.entities.vocabulary import OTHER, Chunk

Resolver = Callable[[Sequence[Chunk], datetime], str | None]
"""Value of the chunks that a rule took, at this time; None when they mean nothing (the 40th of March)."""

_TOKEN_KINDS = ("number", "date", "day_month", "dashed", "clock", "colon", "symbol", "mark", OTHER)

_FIRST_LETTER = 0x0100  # letters without a meaning of their own in a regular expression


class Rule(NamedTuple):
    """A pattern over classes, and what it is worth."""

    pattern: str
    """A regular expression whose letters are classes."""
    resolve: Resolver
    unsaid: frozenset[str] = frozenset()
    """Classes that the pattern asks for and the mention leaves out, like the `le` of `le 12-3`."""


class Span(NamedTuple):
    """What a rule took: `folded[start:end]`."""

    value: str
    start: int
    end: int


class Grammar:
    """Rules over a vocabulary; at each place the first rule that fits is taken."""

    def __init__(self, classes: Sequence[str], rules: Sequence[Rule]) -> None:
        self._letters = {name: chr(_FIRST_LETTER + place) for place, name in enumerate((*_TOKEN_KINDS, *classes))}
        self._rules = rules
        self._pattern = re.compile("|".join(f"({self._compiled(rule.pattern)})" for rule in rules))

    def _compiled(self, pattern: str) -> str:
        letters = re.sub(r"[a-z_]+", lambda match: self._letters[match[0]], pattern)
        return re.sub(r"\((?!\?)", "(?:", letters.replace(" ", ""))

    def spans(self, chunks: Sequence[Chunk], now: datetime) -> Iterator[Span]:
        """What the rules take of a message in chunks, in order."""
        letters = "".join([self._letters[chunk.name] for chunk in chunks])
        for match in self._pattern.finditer(letters):
            rule = self._rules[(match.lastindex or 1) - 1]
            said = [chunk for chunk in chunks[match.start() : match.end()] if chunk.name not in rule.unsaid]
            value = rule.resolve(said, now)
            if value is not None:
                yield Span(value, said[0].start, said[-1].end)
