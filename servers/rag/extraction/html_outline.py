"""The tree of an HTML text by its headings: paragraphs, lists and tables as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, repeat
from typing import Final

from lxml import etree

from servers.rag.extraction.letters import one_line
from servers.rag.extraction.outline import Outline
from servers.rag.extraction.tables import has_header, lines_of

_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "summary"})
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hgroup",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
SILENT: Final = frozenset(
    [
        "audio",
        "button",
        "canvas",
        "embed",
        "head",
        "iframe",
        "input",
        "map",
        "math",
        "meter",
        "noscript",
        "object",
        "option",
        "picture",
        "progress",
        "script",
        "select",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
        "video",
    ]
)
"""Elements that say nothing to a reader, or nothing that answers a question."""

_LONGEST_QUESTION = 200
_MOST_CELLS = 100_000
_SPACE = re.compile(r"\s+")
_PLACE = re.compile(r"[\w.:-]{1,128}")
_DEEPEST_LIST = 8  # indented levels
_WIDEST_SPAN = 100


def outline_of(root: etree._Element, around: frozenset[etree._Element] = frozenset()) -> Outline:
    """The headings and texts below `root`, without those of the elements `around`."""
    reader = _Reader()
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "end":
            reader.end(element, tail=element is not root)
        elif element.tag in SILENT or element in around or not reader.start(element):
            walker.skip_subtree()
    reader.flush()
    return reader.finish()


class _Reader:
    """Follows a tree in the order it is written, in constant depth."""

    def __init__(self) -> None:
        self._outline = Outline()
        self._words: list[str] = []  # of the block being read
        self._bold = self._letters = 0  # of those words
        self._in_bold = 0
        self._lists: list[Iterator[str]] = []  # the marks of the lists around
        self._items: list[str] = []  # lines of the outermost list
        self._mark = ""  # before the next block

    def finish(self) -> Outline:
        self._end_list()
        return self._outline

    def start(self, element: etree._Element) -> bool:
        """Begins an element; false when it was read as a whole."""
        tag = element.tag
        if tag in _BLOCKS:
            self.flush()
        if tag in _HEADINGS:
            self._heading(flat(element), _anchor(element))
            return False
        if tag == "table" and (rows := _rows(element)) is not None:
            self._table(rows)
            return False
        if tag in {"ul", "ol"}:
            self._lists.append(_marks(tag))
        elif tag == "li":
            indent = "  " * min(len(self._lists) - 1, _DEEPEST_LIST)
            self._mark = indent + (next(self._lists[-1]) if self._lists else "- ")
        elif tag == "br":
            self._words.append("\n")
        elif tag in {"b", "strong"}:
            self._in_bold += 1
        self._add(element.text, verbatim=tag == "pre")
        return True

    def end(self, element: etree._Element, *, tail: bool) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self.flush(term=tag == "dt")
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
            if not self._lists:
                self._end_list()
        elif tag in {"b", "strong"}:
            self._in_bold -= 1
        if tail:
            self._add(element.tail)

    def flush(self, *, term: bool = False) -> None:
        """Ends a block; `term` when the next one explains it."""
        lines = [one_line(line) for line in "".join(self._words).split("\n")]
        text = "\n".join(filter(None, lines))
        asks = text.endswith(("?", "؟")) and len(text) <= _LONGEST_QUESTION and "\n" not in text
        bold = self._bold == self._letters
        self._words, self._bold, self._letters = [], 0, 0
        if not text:
            return
        if asks and (bold or term):
            self._heading(text)
        elif term:
            self._mark += f"{text}: "
        elif self._lists:
            self._items.append(f"{self._mark or '  '}{text}")
            self._mark = ""
        else:
            self._outline.text(f"{self._mark}{text}")
            self._mark = ""

    def _add(self, text: str | None, *, verbatim: bool = False) -> None:
        if text:
            self._words.append(text if verbatim else _SPACE.sub(" ", text))
            letters = len(text) - sum(map(len, _SPACE.findall(text)))
            self._letters += letters
            self._bold += letters if self._in_bold else 0

    def _heading(self, title: str, anchor: str = "") -> None:
        self._end_list()
        self._mark = ""
        if title:
            self._outline.heading(title, anchor)

    def _table(self, rows: list[list[str]]) -> None:
        header = rows[0] if has_header(rows) else None
        lines = lines_of(rows[1:] if header else rows, header)
        self._end_list()
        self._outline.text("\n".join(f"- {line}" for line in lines if line))

    def _end_list(self) -> None:
        self._outline.text("\n".join(self._items))
        self._items = []


def flat(element: etree._Element) -> str:
    """All text of an element as one line."""
    words = []
    walker = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walker:
        block = " " if inner.tag in _BLOCKS or inner.tag == "br" else ""
        if event == "end":
            words += [block, (inner.tail or "") if inner is not element else ""]
        elif inner.tag in SILENT and inner.tag != "button":  # what opens a folded answer is its question
            walker.skip_subtree()
        else:
            words += [block, inner.text or ""]
    return one_line("".join(words))


def _marks(tag: str) -> Iterator[str]:
    return (f"{number}. " for number in count(1)) if tag == "ol" else repeat("- ")


def _anchor(heading: etree._Element) -> str:
    """The place that a heading has in its page: its own `id`, or that of a link inside made to be one."""
    inner = (heading, *heading.findall("a"))
    named = (element.get("id") or element.get("name") or "" for element in inner)
    return next((name for name in named if _PLACE.fullmatch(name)), "")


def _rows(table: etree._Element) -> list[list[str]] | None:
    """The cells of a table, those that span rows or columns in each; None where it only serves the layout."""
    if table.find(".//table") is not None or table.find(".//h2") is not None:
        return None
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}  # by column: for how many rows more, and what
    cells = 0
    for line in table.iter("tr"):
        row: list[str] = []
        for cell in line.iter("td", "th"):
            _hang(row, hanging)
            text, rowspan = flat(cell), _span(cell, "rowspan")
            for _ in range(_span(cell, "colspan")):
                if rowspan > 1:
                    hanging[len(row)] = (rowspan - 1, text)
                row.append(text)
        _hang(row, hanging)
        cells += len(row)
        if cells > _MOST_CELLS:
            return None
        if any(row):
            rows.append(row)
    return rows or None


def _hang(row: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Adds the cells that reach down from rows above."""
    while len(row) in hanging:
        more, text = hanging.pop(len(row))
        if more > 1:
            hanging[len(row)] = (more - 1, text)
        row.append(text)


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name, "")
    return max(1, min(int(value), _WIDEST_SPAN)) if value.isdecimal() and len(value) < 5 else 1
