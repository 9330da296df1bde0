"""Spreadsheets, row by row, every row under the names of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import product

from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.letters import one_line, plain
from servers.rag.extraction.outline import slug
from servers.rag.extraction.package import check, opened
from servers.rag.extraction.shown import shown
from servers.rag.extraction.tables import NumberedRow
from servers.rag.extraction.tabular import table_parts
from servers.rag.passages import Part

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_MOST_CELLS = 1_000_000  # of a sheet
_MOST_MERGED = 100_000  # cells that show what another one holds


def read_xlsx(name: str, data: bytes, charset: str = "") -> Extracted:
    """A part a row, at `#Tarifs!12` as the sheet numbers it; formulas as they were last computed; no hidden sheets.

    A sheet's title rows, which hold one cell, stand as they are; the names of columns begin below them.
    """
    with opened(data) as archive:
        check(archive)
    book = load_workbook(BytesIO(data), data_only=True)
    parts: list[Part] = []
    for sheet in book.worksheets:
        if sheet.sheet_state == "visible":
            if sheet.max_row * sheet.max_column > _MOST_CELLS:
                raise InvalidInput(
                    f"the sheet {sheet.title} is too large, or something stands far from its table; split it"
                )
            place = "row=" if len(book.worksheets) == 1 else f"{slug(sheet.title)}!"
            parts += _parts(sheet, place)
    title = one_line(book.properties.title or "") or name
    return Extracted(title, MEDIA_TYPE, tuple(parts))


def _parts(sheet: Worksheet, place: str) -> Iterator[Part]:
    """The rows of a sheet. Rows that say one thing, above the first one that says several, are its titles."""
    rows = [*_rows(sheet)]
    wide = next((index for index, row in enumerate(rows) if len({*row.cells} - {""}) > 1), len(rows))
    for number, cells in rows[:wide]:
        yield Part(f"#{place}{number}", "", next(filter(None, cells)))
    yield from table_parts(rows[wide:], place)


def _rows(sheet: Worksheet) -> Iterator[NumberedRow]:
    """The rows that show something, without the columns that never do; a merged cell says the same in all of its places."""
    hidden = {number for number, row in sheet.row_dimensions.items() if row.hidden}
    merged = _merged(sheet)
    rows = [
        NumberedRow(number, [merged.get((number, column)) or _text(cell) for column, cell in enumerate(cells, start=1)])
        for number, cells in enumerate(sheet.iter_rows(), start=1)
        if number not in hidden
    ]
    used = sorted({column for row in rows for column, cell in enumerate(row.cells) if cell})
    for number, cells in rows:
        if any(cells):
            yield NumberedRow(number, [cells[column] for column in used])


def _text(cell: object) -> str:
    value, form = getattr(cell, "value", None), getattr(cell, "number_format", "")
    return plain(shown(value, str(form))).strip()


def _merged(sheet: Worksheet) -> dict[tuple[int, int], str]:
    """What the cells of merged ranges show, by row and column."""
    texts: dict[tuple[int, int], str] = {}
    for area in sheet.merged_cells.ranges:
        height, width = area.max_row - area.min_row + 1, area.max_col - area.min_col + 1
        if len(texts) + height * width > _MOST_MERGED:
            break
        text = _text(sheet.cell(area.min_row, area.min_col))
        texts.update(((row, column), text) for row, column in _cells(area.bounds))
    return texts


def _cells(bounds: tuple[int, int, int, int]) -> Iterator[tuple[int, int]]:
    first_column, first_row, last_column, last_row = bounds
    return product(range(first_row, last_row + 1), range(first_column, last_column + 1))
