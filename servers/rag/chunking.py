"""Parts as passages: each short enough to be one thought, cut where its author paused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count, pairwise
from math import ceil
from typing import NamedTuple

from servers.rag.extraction.outline import numbered
from servers.rag.passages import Part, Passage

MOST_CHARACTERS = 900
"""Longest passage: some six sentences, what a reply is made from and what one vector can still mean."""

_ABBREVIATIONS = "m mr mme mlle dr pr st ste av bd bld art n no nos num tél tel fax p pp ex cf env max min fig vs tva"
_WHOLE = "".join(rf"(?<!\b{word})" for word in _ABBREVIATIONS.split()) + r"(?<!\b\w)(?<!\n\d)(?<!\n\d\d)"
_BLANK = r"[^\S\u00a0\u202f]"  # no-break blanks hold together what they stand between
_BREAKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![?؟:])(?<![?؟:]\*\*)\n[^\S\n]*\n\s*",  # behind a paragraph that no answer or list belongs to
        r"(?<![?؟:])\n(?=[ \t]*(?:[-*+•–▪|]|\d{1,3}[.)])[ \t])",  # before an item of a list, a row of a table
        rf"(?:{_WHOLE}\.|[!?؟۔؛…])[»”\"')\]*]*(?<!\n){_BLANK}+",  # behind a sentence
        r"\n\s*",
        rf"[،,;:]{_BLANK}+",
        rf"(?<![\d.]){_BLANK}+",  # not inside `99 DH`, `06 61 22 33 44`, `M. Alaoui`
        rf"{_BLANK}+",
    )
)  # the best first
_LINE_END = re.compile(r"\n")
_MOST_MARKS = 16  # that belong to one letter
_DELIMITER = frozenset("|:- \t")  # of what the line below the header of a table consists


class _Piece(NamedTuple):
    start: int
    end: int
    header: str = ""  # of the table that it goes on with

    @property
    def length(self) -> int:
        return len(self.header) + self.end - self.start


def passages_of(parts: Iterable[Part]) -> list[Passage]:
    """The passages of a document's parts, in order: every character of their texts, but blanks in between, once.

    A part that is too long goes on at `#loc-2`, `#loc-3` …, under the same title; a table goes on under its header.
    """
    parts = list(parts)
    taken = {part.loc for part in parts}
    passages = []
    for part in parts:
        numbers = count(2)
        for index, piece in enumerate(_pieces(part.text)):
            loc = numbered(part.loc, numbers, taken) if index else part.loc
            taken.add(loc)
            passages.append(Passage(loc, part.title, piece.header + part.text[piece.start : piece.end]))
    return passages


def _pieces(text: str) -> Iterator[_Piece]:
    """A text in pieces of at most MOST_CHARACTERS, without the blanks around them; neighbours that fit go together."""
    last = None
    for piece in _cut_tables(text) if len(text) > MOST_CHARACTERS else [_Piece(0, len(text))]:
        start, end = _stripped(text, piece.start, piece.end)
        if start == end:
            continue
        if last is not None and not piece.header and last.length + end - last.end <= MOST_CHARACTERS:
            last = last._replace(end=end)
            continue
        if last is not None:
            yield last
        last = _Piece(start, end, piece.header)
    if last is not None:
        yield last


def _cut_tables(text: str) -> Iterator[_Piece]:
    """Text and tables in turn."""
    lines = [0, *(found.end() for found in _LINE_END.finditer(text)), len(text)]
    begun, row = 0, 0
    while row + 2 < len(lines):
        head, body = text[lines[row] : lines[row + 1]], text[lines[row + 1] : lines[row + 2]]
        if not _heads_a_table(head, body):
            row += 1
            continue
        if lines[row] - begun > MOST_CHARACTERS // 3:  # else it leads in to the table
            yield from _cut(text, begun, lines[row])
            begun = lines[row]
        last = row + 2
        while last + 1 < len(lines) and "|" in text[lines[last] : lines[last + 1]]:
            last += 1
        yield from _cut_rows(text, begun, lines[row : last + 1])
        begun, row = lines[last], last
    yield from _cut(text, begun, len(text))


def _heads_a_table(head: str, line: str) -> bool:
    return "|" in head and "-" in line and "|" in line and _DELIMITER.issuperset(line.strip())


def _cut_rows(text: str, start: int, lines: list[int]) -> Iterator[_Piece]:
    """Text from `start` and the table between the lines that follow. The first two are its header, which stands above every piece, unless it is a long one."""
    header = text[lines[0] : lines[2]]
    if len(header) > MOST_CHARACTERS // 3:
        header = ""
    piece = _Piece(start, lines[2])
    for row, end in pairwise(lines[2:]):
        if piece.length + end - row > MOST_CHARACTERS and row > lines[2]:
            yield from _fitting(text, piece)
            piece = _Piece(row, end, header)
        piece = piece._replace(end=end)
    yield from _fitting(text, piece)


def _fitting(text: str, piece: _Piece) -> Iterator[_Piece]:
    if piece.length <= MOST_CHARACTERS:
        yield piece
    else:  # one long row
        yield from _cut(text, piece.start, piece.end)


def _cut(text: str, start: int, end: int) -> Iterator[_Piece]:
    """Text without tables."""
    start, end = _stripped(text, start, end)
    while end - start > MOST_CHARACTERS:
        stop = start + _break(text[start : start + MOST_CHARACTERS + 1], end - start)
        yield _Piece(start, stop)
        start, end = _stripped(text, stop, end)
    yield _Piece(start, end)


def _break(window: str, length: int) -> int:
    """Where to cut a text of `length` that begins with `window`: the best break that leaves no crumb, near its even share."""
    share = length / ceil(length / MOST_CHARACTERS)
    for pattern in _BREAKS:
        ends = [found.end() for found in pattern.finditer(window) if found.end() > len(window) // 3]
        if ends:
            return min(ends, key=lambda end: abs(end - share))
    ends = [found.end() for found in _BREAKS[-1].finditer(window)]
    return ends[-1] if ends else _whole_letters(window)


def _whole_letters(window: str) -> int:
    """The most of a word that fits, but no letter apart from its accents and vowel signs."""
    end = MOST_CHARACTERS
    while end > MOST_CHARACTERS - _MOST_MARKS and unicodedata.category(window[end])[0] in "MC":
        end -= 1
    return end


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the blanks at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
