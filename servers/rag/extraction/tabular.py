"""CSV and JSON: questions with their answers, or rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import orjson

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import MOST_BYTES, Extracted
from servers.rag.extraction.letters import decoded, one_line, plain
from servers.rag.extraction.tables import NumberedRow, has_header, parts_of_rows
from servers.rag.passages import Part

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 20  # records that tell the delimiter
_TITLES = ("title", "titre", "heading", "العنوان", "عنوان")
_TEXTS = ("text", "texte", "content", "contenu", "body", "passage", "النص", "نص")


def read_csv(name: str, data: bytes, charset: str = "") -> Extracted:
    """Records separated by commas, semicolons, tabs or bars, by the line that each begins in."""
    csv.field_size_limit(MOST_BYTES)
    lines = plain(decoded(data, charset)).split("\n")
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=_delimiter(lines))
    rows, begins = [], 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append(NumberedRow(begins, [cell.strip() for cell in cells]))
        begins = reader.line_num + 1
    return Extracted(name, "text/csv", tuple(table_parts(rows, "row=")))


def table_parts(rows: list[NumberedRow], place: str) -> Iterator[Part]:
    """The rows of a table as parts, under the names of its columns where its first row has them."""
    header = rows[0].cells if has_header([row.cells for row in rows]) else ()
    width = max((len(row.cells) for row in rows), default=0)
    names = [*header, *[""] * (width - len(header))]
    return parts_of_rows(rows[1:] if header else rows, names, place)


def read_json(name: str, data: bytes, charset: str = "") -> Extracted:
    """An array of objects, or an object a line, each a question with its answer, a text with its title, or a row."""
    text = decoded(data, charset)
    warnings: list[str] = []
    parts: list[Part] = []
    for number, item in _items(text, warnings):
        parts += _part(number, item)
    if warnings and not parts:
        raise InvalidInput("the file holds no JSON that can be read: one object a line, or an array of objects")
    return Extracted(name, "application/json", tuple(parts), tuple(warnings))


def _items(text: str, warnings: list[str]) -> Iterator[tuple[int, Any]]:
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(orjson.loads(text), start=1)
        except orjson.JSONDecodeError:
            raise InvalidInput("the file is no JSON that can be read") from None
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError:
                warnings.append(f"line {number} is no JSON that can be read")


def _part(number: int, item: Any) -> Iterator[Part]:
    if not isinstance(item, dict):
        item = {"": item}
    cells = {plain(name): plain(_shown(value)) for name, value in item.items()}
    title = next((name for name in cells if name.casefold() in _TITLES), None)
    text = next((name for name in cells if name.casefold() in _TEXTS), None)
    if text is not None:
        yield Part(f"#row={number}", one_line(cells[title]) if title is not None else "", cells[text].strip())
    else:
        yield from parts_of_rows([NumberedRow(number, list(cells.values()))], list(cells), "row=")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _delimiter(lines: list[str]) -> str:
    """The one that makes the first records equally long, and longest."""

    def width(delimiter: str) -> int:
        widths = {len(cells) for cells in csv.reader(lines[:_SAMPLE], delimiter=delimiter) if any(cells)}
        return min(widths, default=0) if max(widths, default=0) < 2 * min(widths, default=0) + 1 else 0

    return max(_DELIMITERS, key=width)
