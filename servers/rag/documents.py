"""Markdown as passages: a section under its heading each, long sections in several, every passage with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

MOST_CHARACTERS = 900
"""Longest passage: some six sentences, what a reply is made from and what one vector can still mean."""

_LONGEST_SLUG = 64
_OPENING = re.compile(r" {0,3}#{1,6}(?=[ \t]|$)")
_ANCHOR = re.compile(r"[\w.:-]+")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_NOT_IN_SLUG = re.compile(r"[\W_]+")
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"[.!?؟۔؛][»”\"')\]]*\s+"), re.compile(r"\s+"))  # the best first


class Passage(NamedTuple):
    """What is found and quoted: its place (`#voir-facture`), its heading (may be empty), its text without the heading.

    Text before the first heading stands at `#`. Places are unique in a document.
    """

    loc: str
    title: str
    text: str


class _Section(NamedTuple):
    title: str
    anchor: str  # as the author named it; empty when not
    body: str


def passages_of(text: str) -> list[Passage]:
    """The passages of a Markdown text, in order; none when it holds nothing but headings and blanks.

    `{#anchor}` behind a heading names its place, else the heading's words do. Lines that begin with `#` inside a code
    fence are no headings. Nothing but headings is left out.
    """
    sections = list(_sections(text))
    places = _Places(section.anchor for section in sections)
    return [
        Passage(f"#{places.take(section)}", section.title, piece)
        for section in sections
        for piece in _split(section.body)
    ]


def _sections(text: str) -> Iterator[_Section]:
    title = anchor = fence = ""
    body: list[str] = []
    for line in re.split(r"\r\n|\r|\n", text):
        if fence:
            mark = line.strip()
            if len(mark) >= len(fence) and not mark.strip(fence[0]):
                fence = ""
        elif found := _FENCE.match(line):
            fence = found[1]
        elif opening := _OPENING.match(line):
            yield _Section(title, anchor, "\n".join(body))
            (title, anchor), body = _heading(line[opening.end() :]), []
            continue
        body.append(line)
    yield _Section(title, anchor, "\n".join(body))


def _heading(text: str) -> tuple[str, str]:
    """Title and anchor of what follows the opening of a heading."""
    title, anchor = text.strip(), ""
    before, brace, attribute = title.rpartition("{#")
    if brace and attribute.endswith("}") and _ANCHOR.fullmatch(attribute[:-1]):
        title, anchor = before.rstrip(), attribute[:-1]
    unclosed = title.rstrip("#")  # `## Title ##`, but not `## C#`
    if unclosed != title and (not unclosed or unclosed[-1].isspace()):
        title = unclosed.rstrip()
    return title, anchor


def _slug(title: str) -> str:
    letters = (
        letter for letter in unicodedata.normalize("NFKD", title.lower()) if unicodedata.category(letter) != "Mn"
    )
    return _NOT_IN_SLUG.sub("-", "".join(letters)).strip("-")[:_LONGEST_SLUG].strip("-") or "section"


class _Places:
    """Gives every passage a place of its own: `anchor`, then `anchor-2`, `anchor-3` …

    A name the author gave is kept for the section that has it, whatever slugs come before.
    """

    def __init__(self, named: Iterable[str]) -> None:
        self._reserved = set(named) - {""}
        self._taken: set[str] = set()
        self._next: dict[str, Iterator[int]] = {}

    def take(self, section: _Section) -> str:
        if section.anchor in self._reserved:
            self._reserved.discard(section.anchor)
            return self._keep(section.anchor)
        wanted = section.anchor or (_slug(section.title) if section.title else "")
        if self._free(wanted):
            return self._keep(wanted)
        numbers = self._next.setdefault(wanted, count(2))
        return self._keep(next(place for number in numbers if self._free(place := f"{wanted}-{number}")))

    def _free(self, place: str) -> bool:
        return place not in self._taken and place not in self._reserved

    def _keep(self, place: str) -> str:
        self._taken.add(place)
        return place


def _split(body: str) -> Iterator[str]:
    """The body in pieces of at most MOST_CHARACTERS, cut behind paragraphs, else sentences, else words."""
    rest = body.strip()
    while len(rest) > MOST_CHARACTERS:
        end = _cut(rest[:MOST_CHARACTERS])
        yield rest[:end].rstrip()
        rest = rest[end:].lstrip()
    if rest:
        yield rest


def _cut(window: str) -> int:
    """Where to cut: the last good break that does not leave a crumb behind."""
    for pattern in _BREAKS:
        ends = [found.end() for found in pattern.finditer(window) if found.end() > len(window) // 3]
        if ends:
            return ends[-1]
    return len(window)
