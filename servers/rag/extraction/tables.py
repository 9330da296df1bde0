"""Tables as text that says what each cell is, and tables of questions as questions with their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from servers.rag.extraction.letters import one_line
from servers.rag.extraction.outline import LONGEST_TITLE
from servers.rag.passages import Part

Row = Sequence[str]

_QUESTIONS = frozenset(["question", "questions", "q", "faq", "demande", "السؤال", "سؤال", "الاسئلة", "أسئلة", "prompt"])
_ANSWERS = frozenset(
    [
        "answer",
        "answers",
        "réponse",
        "réponses",
        "reponse",
        "reponses",
        "r",
        "a",
        "الجواب",
        "جواب",
        "الإجابة",
        "إجابة",
        "اجابة",
        "الرد",
        "response",
    ]
)
_LEAST_COLUMNS = 3  # of which the first row is their names, whatever stands in it


class NumberedRow(NamedTuple):
    """A row, and the number that people see beside it."""

    number: int
    cells: Row


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row names the columns: words, all different, above cells that are unlike them."""
    if len(rows) < 2:
        return False
    names = [name for name in rows[0] if name]
    if len(names) < len(rows[0]) or len(set(names)) < len(names) or any(_digits(name) for name in names):
        return False
    if question_columns(rows[0]) is not None or len(names) >= _LEAST_COLUMNS:
        return True
    return all(_digits(row[-1]) for row in rows[1:] if row and row[-1])


def lines_of(rows: Sequence[Row], header: Row | None = None) -> Iterator[str]:
    """Each row as one line, `Ville: Rabat; Horaires: 9h-18h`; without a header the first cell says what the row is about."""
    for row in rows:
        if header is not None:
            yield "; ".join(_named(header, row))
        else:
            first, *others = [cell for cell in map(one_line, row) if cell] or [""]
            yield f"{first}: {'; '.join(others)}" if others else first


def parts_of_rows(rows: Iterable[NumberedRow], header: Row, place: str) -> Iterator[Part]:
    """A part a row, at `#<place><number>`: a question with its answer, or the row's first cell with all of its cells."""
    asked = question_columns(header)
    for number, row in rows:
        cells = [*row, *[""] * (len(header) - len(row))]
        if asked is not None:
            title, text = cells[asked[0]], cells[asked[1]].strip()
            others = [
                (name, cell)
                for index, (name, cell) in enumerate(zip(header, cells, strict=False))
                if index not in asked
            ]
            text = "\n".join([text, *_named(*zip(*others, strict=True))]) if others and text else text
        else:
            title = next(filter(None, map(one_line, cells)), "")
            text = "\n".join(_named(header, cells))
        title = one_line(title)
        if len(title) > LONGEST_TITLE:
            title, text = "", f"{title}\n{text}" if asked is not None else text
        if text:
            yield Part(f"#{place}{number}", title, text)


def question_columns(header: Row) -> tuple[int, int] | None:
    """Where the question stands and where its answer, by the names of the columns in French, English or Arabic."""
    names = [one_line(name).casefold().strip(" :?؟*") for name in header]
    question = next((index for index, name in enumerate(names) if name in _QUESTIONS), None)
    answer = next((index for index, name in enumerate(names) if name in _ANSWERS), None)
    return (question, answer) if question is not None and answer is not None else None


def _named(header: Row, row: Row) -> list[str]:
    """The cells that hold something, each behind the name of its column."""
    return [
        f"{one_line(name)}: {one_line(cell)}" if name.strip() else one_line(cell)
        for name, cell in zip(header, row, strict=False)
        if cell.strip()
    ]


def _digits(cell: str) -> bool:
    return any(map(str.isdigit, cell))
