"""PDF files, page by page, under the headings that the size of their letters shows."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pypdfium2 as pdfium

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.letters import one_line
from servers.rag.extraction.outline import LONGEST_TITLE
from servers.rag.extraction.pdf_page import Line, lines_of
from servers.rag.passages import Part

MEDIA_TYPE = "application/pdf"

_MOST_PAGES = 2000
_EDGE_LINES = 2  # at the top and the foot of a page, where what is on every page stands
_LEAST_PAGES, _MOST_OF = 3, 0.6  # pages that show what every page does
_NUMBERING = 30  # characters of `Page 3 / 12`
_LARGER = 1.12  # than the text: a heading
_PARAGRAPH = 1.35  # of the usual distance between lines: a new paragraph
_FULL = 0.7  # of the width of the text a line takes that goes on in the next one
_READABLE = 0.6  # of what a page shows: letters and digits
_UNKNOWN = ("Co", "Cn", "Cc")
_DIGITS = re.compile(r"\d+")
_ITEM = re.compile(r"(?:[-•●▪◦–*]|\d{1,2}[.)])\s")
_ENDS = (".", "!", "?", "؟", "۔", "؛", ":", "…", "»", ")")

_Row = Sequence[Line]


def read_pdf(name: str, data: bytes, charset: str = "") -> Extracted:
    """The sections of a PDF, at `#page=3`. What most pages repeat at their edges is left out; so are unreadable pages."""
    document = _opened(data)
    warnings: list[str] = []
    try:
        if len(document) > _MOST_PAGES:
            raise InvalidInput(f"the file has more than {_MOST_PAGES} pages; split it")
        pages = [_rows(document, number, warnings) for number in range(len(document))]
        title = one_line(document.get_metadata_dict().get("Title", ""))
    finally:
        document.close()
    parts = list(_parts(_without_repeated(pages)))
    if not parts and warnings:
        warnings = ["no page has readable text: it may be scanned; send it with its text recognised", *warnings]
    title = title or next((part.title for part in parts if part.title), name)
    return Extracted(title, MEDIA_TYPE, tuple(parts), tuple(warnings))


def _opened(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise InvalidInput("the file is protected by a password; save it without one") from None
        raise InvalidInput("the file is damaged: it cannot be read as PDF; save it again") from None


def _rows(document: pdfium.PdfDocument, number: int, warnings: list[str]) -> list[_Row]:
    """The lines of a page; none where it shows something that is no text, which is a warning."""
    try:
        page = document[number]
        rows = lines_of(page)
        shows = any(True for _ in page.get_objects(max_depth=1))
    except pdfium.PdfiumError:
        rows, shows = [], True
    if shows and not _readable("".join(line.text for row in rows for line in row)):
        warnings.append(f"page {number + 1} has no readable text")
        return []
    return list(rows)


def _readable(text: str) -> bool:
    """Whether a text is made of words: fonts that do not say what their glyphs mean give anything else."""
    shown = [letter for letter in text if not letter.isspace()]
    kinds = Counter(unicodedata.category(letter) for letter in shown)
    unknown = sum(kinds[kind] for kind in _UNKNOWN) + shown.count("\ufffd")
    words = sum(count for kind, count in kinds.items() if kind[0] in "LNM")
    return bool(shown) and words >= _READABLE * len(shown) and unknown <= (1 - _READABLE) / 2 * len(shown)


def _without_repeated(pages: list[list[_Row]]) -> list[list[_Row]]:
    """Pages without the lines that most of them show at their edges, in letters no larger than the text's."""
    usual = _usual_height(pages)
    shapes = [
        [
            _shape(row) if _at_edge(index, rows) and row[0].height <= usual * _LARGER else ""
            for index, row in enumerate(rows)
        ]
        for rows in pages
    ]
    full = sum(map(bool, pages))
    seen = Counter(shape for page in shapes for shape in set(page) - {""})
    repeated = {shape for shape, count in seen.items() if count >= max(_LEAST_PAGES, full * _MOST_OF)}
    return [
        [row for row, shape in zip(rows, page, strict=True) if shape not in repeated]
        for rows, page in zip(pages, shapes, strict=True)
    ]


def _at_edge(index: int, rows: list[_Row]) -> bool:
    return index < _EDGE_LINES or index >= len(rows) - _EDGE_LINES


def _shape(row: _Row) -> str:
    """A row as it looks on every page: a short one may number the pages."""
    text = " ".join(line.text for line in row)
    return _DIGITS.sub("#", text) if len(text) <= _NUMBERING else text


def _parts(pages: list[list[_Row]]) -> Iterator[Part]:
    """A part a page and heading; a heading stays the title of the pages that go on under it."""
    usual = _usual_height(pages)
    title = ""
    for number, rows in enumerate(pages, start=1):
        taken = 1
        for heading, body in _sections(rows, usual):
            title = heading or title
            text = _text(body)
            if text:
                loc = f"#page={number}" + (f"-{taken}" if taken > 1 else "")
                taken += 1
                yield Part(loc, title, text)


def _usual_height(pages: list[list[_Row]]) -> float:
    """The height of the letters that most of the text is written in."""
    heights = Counter[float]()
    for line in (line for rows in pages for row in rows for line in row):
        heights[round(line.height, 1)] += len(line.text)
    return heights.most_common(1)[0][0] if heights else 0.0


def _sections(rows: list[_Row], usual: float) -> Iterator[tuple[str, list[_Row]]]:
    """The rows below each heading; before the first one, below none."""
    heading: list[Line] = []
    body: list[_Row] = []
    for row in rows:
        line = row[0]
        if not _is_heading(row, usual):
            body.append(row)
        elif heading and not body and abs(heading[-1].height - line.height) < 1:
            heading.append(line)  # of several lines
        else:
            yield _title(heading), body
            heading, body = [line], []
    yield _title(heading), body


def _is_heading(row: _Row, usual: float) -> bool:
    line = row[0]
    if len(row) > 1 or len(line.text) > LONGEST_TITLE or not any(map(str.isalpha, line.text)):
        return False
    asks = line.text.endswith(("?", "؟"))
    return line.height > usual * _LARGER or (line.bold and (asks or not line.text.endswith(_ENDS)))


def _title(lines: list[Line]) -> str:
    return " ".join(line.text for line in lines)[:LONGEST_TITLE]


def _text(rows: list[_Row]) -> str:
    """Rows as paragraphs: lines that go on are joined, in the next column too, and so are words that were divided."""
    text = ""
    for block in _blocks(rows):
        paragraph = _joined(block)
        goes_on = text and not text.endswith(_ENDS) and paragraph[:1].islower()
        text += (" " if goes_on else "\n\n" if text else "") + paragraph
    return text


def _blocks(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Rows at the usual distance from each other; further up the page stands another column."""
    distances = [above[0].base - below[0].base for above, below in pairwise(rows)]
    usual = sorted(distance for distance in distances if distance > 0)
    step = usual[(len(usual) - 1) // 2] if usual else 0.0
    block = rows[:1]
    for row, distance in zip(rows[1:], distances, strict=True):
        if not 0 <= distance <= step * _PARAGRAPH:
            yield block
            block = []
        block.append(row)
    if block:
        yield block


def _joined(block: list[_Row]) -> str:
    width = max(line.right - line.left for row in block for line in row)
    text = _cells(block[0])
    for above, row in pairwise(block):
        line, last = _cells(row), above[-1]
        if len(above) > 1 or len(row) > 1 or _ITEM.match(line) or last.right - last.left < _FULL * width:
            text += f"\n{line}"
        elif text.endswith("-") and text[-2:-1].islower() and line[:1].islower():
            text = text[:-1] + line
        else:
            text += f" {line}"
    return text


def _cells(row: _Row) -> str:
    return " | ".join(line.text for line in row)
