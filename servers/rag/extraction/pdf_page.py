"""A page of a PDF: its glyphs as lines, columns in the order they are read."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as native

from servers.rag.extraction.letters import one_line, plain
from servers.rag.extraction.visual_order import logical, rightward

_HYPHEN = "\x02"  # what PDFium calls a hyphen at the end of a line
_BASELINE = 0.35  # of its height a glyph may stand above or below its line
_BLANK = 0.12  # of its height from the glyph before: another word
_GAP = 1.2  # of its height: another column, or cell
_WIDE = 0.6  # of the page's width: a line of no column
_LEAST_LINES = 3  # in a column
_LEAST_CHARACTERS = 18  # in a column's mean line; cells of tables hold less
_MOST_CROSSING = 0.1  # of the lines that may cross the gap between columns: titles, numbers of pages
_MOST_FRAGMENTS = 600  # that are looked through for columns
_BOLD = 600


class Glyph(NamedTuple):
    """What is drawn at once: its edges, baseline and height in points, from the page's lower left; its letters."""

    left: float
    right: float
    base: float
    height: float
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one column, or one cell of it."""

    text: str
    left: float
    right: float
    base: float
    height: float
    bold: bool


def lines_of(page: pdfium.PdfPage) -> list[list[Line]]:
    """The lines of a page in the order they are read; cells that stand beside each other make one line together."""
    text_page = page.get_textpage()
    try:
        glyphs = list(_glyphs(text_page))
        right_to_left = sum(rightward(plain(glyph.text)) for glyph in glyphs) > 0
        fragments = [
            _line(text_page, fragment, row[0].base, right_to_left=right_to_left)
            for row in _rows(glyphs)
            for fragment in _fragments(row)
        ]
    finally:
        text_page.close()
    fragments = [fragment for fragment in fragments if fragment.text]
    return list(_in_reading_order(fragments, page.get_width(), right_to_left=right_to_left))


def _glyphs(page: pdfium.PdfTextPage) -> Iterator[Glyph]:
    box, x, y = native.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    high = 0  # first half of a letter beyond 16 bits
    for index in range(page.count_chars()):
        code = native.FPDFText_GetUnicode(page.raw, index)
        if (code <= 0x20 and code != ord(_HYPHEN)) or native.FPDFText_IsGenerated(page.raw, index) == 1:
            continue  # blanks show by the gap they leave
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00 if high else 0xFFFD
            high = 0
        native.FPDFText_GetLooseCharBox(page.raw, index, box)
        native.FPDFText_GetCharOrigin(page.raw, index, x, y)
        height = box.top - box.bottom
        if height > 0:
            yield Glyph(box.left, box.right, y.value, height, "-" if code == ord(_HYPHEN) else chr(code), index)


def _rows(glyphs: Sequence[Glyph]) -> Iterator[list[Glyph]]:
    """Glyphs that stand on one line, from the page's top."""
    row: list[Glyph] = []
    for glyph in sorted(glyphs, key=lambda glyph: -glyph.base):
        if row and row[0].base - glyph.base > _BASELINE * max(row[0].height, glyph.height):
            yield row
            row = []
        row.append(glyph)
    if row:
        yield row


def _fragments(row: list[Glyph]) -> Iterator[list[Glyph]]:
    """A row, cut where nothing stands for a while; each from left to right."""
    fragment: list[Glyph] = []
    edge = 0.0
    for glyph in sorted(row, key=lambda glyph: (glyph.left + glyph.right, glyph.number)):
        if fragment and glyph.left - edge > _GAP * glyph.height:
            yield fragment
            fragment = []
        edge = max(edge, glyph.right) if fragment else glyph.right
        fragment.append(glyph)
    if fragment:
        yield fragment


def _line(page: pdfium.PdfTextPage, glyphs: list[Glyph], base: float, *, right_to_left: bool) -> Line:
    clusters = [list(cluster) for _, cluster in groupby(glyphs, lambda glyph: (glyph.left, glyph.right))]
    words: list[str] = []
    edge = glyphs[0].left
    for cluster in clusters:
        if cluster[0].left - edge > _BLANK * cluster[0].height:
            words.append(" ")
        words.append(_letters(cluster))
        edge = max(edge, cluster[0].right)
    heights = sorted(glyph.height for glyph in glyphs)
    first = glyphs[0]
    return Line(
        one_line(plain(logical(words, right_to_left=right_to_left))),
        first.left,
        edge,
        base,
        heights[len(heights) // 2],
        bold=native.FPDFText_GetFontWeight(page.raw, first.number) >= _BOLD,
    )


def _letters(cluster: list[Glyph]) -> str:
    """The letters of one glyph. PDFium may turn those of an Arabic ligature round; all that are in use begin with lam."""
    text = "".join(glyph.text for glyph in cluster)
    return text[::-1] if text.endswith("ل") else text


def _in_reading_order(lines: list[Line], width: float, *, right_to_left: bool) -> Iterator[list[Line]]:
    gap = _gap_between_columns(lines, width) if len(lines) <= _MOST_FRAGMENTS else None
    if gap is None:
        for _, row in groupby(lines, lambda line: line.base):
            yield sorted(row, key=lambda line: line.left, reverse=right_to_left)
        return
    for crosses, band in groupby(lines, lambda line: line.left < gap < line.right):
        if crosses:
            yield from _in_reading_order([*band], 0, right_to_left=right_to_left)
            continue
        inside = [*band]
        columns = [line for line in inside if line.right <= gap], [line for line in inside if line.left >= gap]
        for column in reversed(columns) if right_to_left else columns:
            edges = [line.left for line in column], [line.right for line in column]
            narrower = max(edges[1], default=0) - min(edges[0], default=0)
            yield from _in_reading_order(column, narrower, right_to_left=right_to_left)


def _gap_between_columns(lines: Sequence[Line], width: float) -> float | None:
    """Where a page divides into columns of running text; None where it does not."""
    narrow = [line for line in lines if line.right - line.left < _WIDE * width]
    edges = sorted({line.right for line in narrow})
    best = None
    for edge in edges:
        left = [line for line in narrow if line.right <= edge]
        right = [line for line in narrow if line.left > edge]
        if not left or not right:
            continue
        gap = (edge + min(line.left for line in right)) / 2
        crossing = len(narrow) - len(left) - len(right)
        if crossing <= _MOST_CROSSING * len(narrow) and _is_column(left) and _is_column(right):
            candidate = (crossing, -min(len(left), len(right)), gap)
            best = min(best, candidate) if best is not None else candidate
    return best[2] if best is not None else None


def _is_column(lines: Sequence[Line]) -> bool:
    return len(lines) >= _LEAST_LINES and sum(len(line.text) for line in lines) >= _LEAST_CHARACTERS * len(lines)
