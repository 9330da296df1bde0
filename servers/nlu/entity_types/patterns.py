"""Patterns of RE2: their time is linear in the length of the text, whatever the tenant wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

_MEMORY = 1 << 20  # bytes a pattern may use; its automaton is rebuilt when it needs more
_SURROGATE = re.compile("[\ud800-\udfff]")  # RE2 reads UTF-8, which has none


class PatternError(ValueError):
    """RE2 refuses the pattern; the message says why."""


class Pattern(NamedTuple):
    """A compiled pattern."""

    compiled: Any  # the package has no types

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Code-point offsets of its matches one after the other, also of empty ones.

        A match counts by its first group that took part, as a whole where there is none.
        """
        for match in self.compiled.finditer(text):
            groups = (match.span(group) for group in range(1, self.compiled.groups + 1))
            yield next((span for span in groups if span[0] >= 0), match.span())


def compile_pattern(pattern: str) -> Pattern:
    """The pattern, ready to search; raises PatternError."""
    options = re2.Options()
    options.log_errors = False  # a tenant's words are not for our log
    options.max_mem = _MEMORY
    try:
        return Pattern(re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0]
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None


def readable(text: str) -> str:
    """The text as patterns can read it; offsets stay the same."""
    return _SURROGATE.sub("\ufffd", text)
