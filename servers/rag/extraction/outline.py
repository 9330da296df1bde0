"""A document as its headings divide it: what follows a heading stands under it, every section in a place of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from servers.rag.passages import Part

LONGEST_TITLE = 300
"""A heading of more characters is a paragraph that looks like one."""

_LONGEST_SLUG = 64
_NOT_IN_SLUG = re.compile(r"[\W_]+")


class _Section(NamedTuple):
    title: str
    anchor: str  # as the author named it; empty when not
    blocks: list[str]


class Outline:
    """Collects headings and text in the order they stand, and gives them as parts."""

    def __init__(self) -> None:
        self._sections = [_Section("", "", [])]

    def heading(self, title: str, anchor: str = "") -> None:
        """Begins a section; `anchor` is the place that its author named."""
        if len(title) > LONGEST_TITLE:
            self.text(title)
        else:
            self._sections.append(_Section(title, anchor, []))

    def text(self, block: str) -> None:
        """A paragraph, a list, a table of the section that was begun last."""
        if block.strip():
            self._sections[-1].blocks.append(block.strip())

    def parts(self) -> list[Part]:
        """The sections that hold text. A place is the author's anchor, else the heading's words; `#` before any heading."""
        places = _Places(section.anchor for section in self._sections)
        return [
            Part(f"#{places.take(section)}", section.title, "\n\n".join(section.blocks))
            for section in self._sections
            if section.blocks
        ]


def slug(title: str) -> str:
    """The words of a title as a place: `Où payer ?` is `ou-payer`, `أين أدفع؟` is `اين-ادفع`."""
    letters = (
        letter for letter in unicodedata.normalize("NFKD", title.lower()) if unicodedata.category(letter) != "Mn"
    )
    return _NOT_IN_SLUG.sub("-", "".join(letters)).strip("-")[:_LONGEST_SLUG].strip("-") or "section"


def numbered(place: str, numbers: Iterator[int], taken: set[str]) -> str:
    """The first of `place-2`, `place-3` … that is not taken, as `numbers` counts on."""
    return next(name for number in numbers if (name := f"{place}-{number}") not in taken)


class _Places:
    """Gives every section a place of its own: `anchor`, then `anchor-2`, `anchor-3` …

    A name the author gave is kept for the section that has it, whatever slugs come before.
    """

    def __init__(self, named: Iterable[str]) -> None:
        self._reserved = set(named) - {""}
        self._taken = set(self._reserved)
        self._next: dict[str, Iterator[int]] = {}

    def take(self, section: _Section) -> str:
        if section.anchor in self._reserved:
            self._reserved.discard(section.anchor)
            return section.anchor
        place = section.anchor or (slug(section.title) if section.title else "")
        if place in self._taken:
            place = numbered(place, self._next.setdefault(place, count(2)), self._taken)
        self._taken.add(place)
        return place
