"""Dates: `12/03/2025`, `12 mars`, `ghda`, `l7ed jay`, `il y a 3 jours`, `الأسبوع القادم`.

Values are ISO 8601: a day, or the first and last day of an interval. A day or month without its year is the occurrence
nearest to today: customers speak of the order of last month as often as of next month's delivery. A bare weekday is the
one to come. A bare number is never a date.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from servers.nlu.entities.grammar import Grammar, Rule, Span
from servers.nlu.entities.tokens import Tokens
from servers.nlu.entities.vocabulary import Chunk, Vocabulary, read_vocabulary

_CLASSES = (
    "day", "weekday", "month", "unit", "dual", "this", "next", "last", "in", "hence", "ago", "of", "on", "an", "ordinal",
    "the", "year", "since",
)  # fmt: skip
_FURTHEST = 1_000  # units that anybody counts: beyond lies another millennium, and the end of the calendar
_DAY_WORDS = ("nhar", "youm", "yom", "نهار", "يوم")
_DIRECTION = {"in": 1, "hence": 1, "ago": -1, "since": -1}
_SHIFT = {"this": 0, "next": 1, "last": -1}
_TELLING = ("day", "weekday", "month", "unit", "dual")


def vocabulary() -> Vocabulary:
    """The words of the calendar."""
    return read_vocabulary("calendar.tsv", _TELLING)


def find_dates(tokens: Tokens, now: datetime) -> Iterator[Span]:
    """Dates among the tokens, seen from `now`, in the customer's time zone."""
    yield from _GRAMMAR.spans(vocabulary().chunk(tokens), now)


def _written(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`2025-03-12`, `12/03/2025`, `12.3.25`: the year first or last."""
    parts = [int(part) for part in chunks[-1].concept.replace("/", "-").replace(".", "-").split("-")]
    if parts[0] > 31:
        parts.reverse()
    day, month, year = parts
    return _date(year if year > 99 else 2000 + year, month, day)


def _day_month(chunks: Sequence[Chunk], now: datetime) -> str | None:
    day, month = chunks[-1].concept.replace("/", "-").split("-")
    if chunks[-1].name == "day_month" and len(month) == 1 and len(chunks) == 1:
        return None  # 24/7, 1/2
    return _nearest(int(day), int(month), now)


def _named_month(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`12 mars`, `March 12th`, `12 dyal mars 2025`."""
    said = {chunk.name: chunk for chunk in chunks}
    day, month = _whole(said["number"]), int(said["month"].concept)
    return _date(_whole(said["year"]), month, day) if "year" in said else _nearest(day, month, now)


def _month(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`mars 2025`, `شهر مارس`."""
    said = {chunk.name: chunk for chunk in chunks}
    if "unit" in said and said["unit"].concept != "month":
        return None
    month = int(said["month"].concept)
    year = _whole(said["year"]) if "year" in said else _nearest_year(15, month, now)
    return _interval(date(year, month, 1), date(year, month, monthrange(year, month)[1]))


def _day(chunks: Sequence[Chunk], now: datetime) -> str:
    return (now.date() + timedelta(days=int(chunks[-1].concept))).isoformat()


def _weekday(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """The one to come, tomorrow at the earliest; with `last` or `since`, the one gone, yesterday at the latest."""
    if any(chunk.name == "unit" and chunk.concept != "day" for chunk in chunks):
        return None
    weekday = int(next(chunk.concept for chunk in chunks if chunk.name == "weekday"))
    ahead = (weekday - now.weekday() - 1) % 7 + 1
    if any(chunk.name in ("last", "since") for chunk in chunks):
        ahead = -((now.weekday() - weekday - 1) % 7 + 1)
    return (now.date() + timedelta(days=ahead)).isoformat()


def _period(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`had simana`, `la semaine prochaine`, `l3am jay`."""
    unit = next(chunk.concept for chunk in chunks if chunk.name == "unit")
    shift = next(_SHIFT[chunk.name] for chunk in chunks if chunk.name in _SHIFT)
    today = now.date()
    if unit == "day":
        return today.isoformat() if shift == 0 else None
    if unit in ("week", "weekend"):
        monday = today + timedelta(days=7 * shift - today.weekday())
        return _interval(monday + timedelta(days=5 if unit == "weekend" else 0), monday + timedelta(days=6))
    if unit == "year":
        return _interval(date(today.year + shift, 1, 1), date(today.year + shift, 12, 31))
    first = _add_months(today.replace(day=1), shift)
    return _interval(first, first.replace(day=monthrange(first.year, first.month)[1]))


def _distance(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`dans 3 jours`, `hadi 3 iyam`, `in a week`, `قبل يومين`."""
    direction = next(_DIRECTION[chunk.name] for chunk in chunks if chunk.name in _DIRECTION)
    unit = next(chunk for chunk in chunks if chunk.name in ("unit", "dual"))
    count = next((_whole(chunk) for chunk in chunks if chunk.name == "number"), 2 if unit.name == "dual" else 1)
    if not 0 < count < _FURTHEST:
        return None
    count *= direction
    match unit.concept:
        case "day":
            return (now.date() + timedelta(days=count)).isoformat()
        case "week":
            return (now.date() + timedelta(weeks=count)).isoformat()
        case "month":
            return _add_months(now.date(), count).isoformat()
        case "year":
            return _add_months(now.date(), 12 * count).isoformat()
    return None


def _day_of_month(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`nhar 12`, `يوم 12`: of the month that makes it nearest."""
    day = _whole(chunks[-1])
    if chunks[0].token.form not in _DAY_WORDS or not chunks[-1].token.form.isdigit():
        return None
    months = (_add_months(now.date().replace(day=1), shift) for shift in (-1, 0, 1))
    days = [first.replace(day=day) for first in months if 0 < day <= monthrange(first.year, first.month)[1]]
    return min(days, key=lambda other: abs(other - now.date())).isoformat() if days else None


def _whole(chunk: Chunk) -> int:
    """The number of a chunk; 0 for what is no whole number."""
    number = chunk.token.number
    return int(number) if number is not None and number == int(number) else 0


def _date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _nearest(day: int, month: int, now: datetime) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _date(_nearest_year(day, month, now), month, day)


def _nearest_year(day: int, month: int, now: datetime) -> int:
    today = now.date()
    return min(
        (today.year + shift for shift in (0, 1, -1)),
        key=lambda year: abs(date(year, month, min(day, monthrange(year, month)[1])) - today),
    )


def _add_months(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _interval(first: date, last: date) -> str:
    return f"{first.isoformat()}/{last.isoformat()}"


_GRAMMAR = Grammar(
    _CLASSES,
    [
        Rule("date", _written),
        Rule("on dashed", _day_month, frozenset({"on"})),
        Rule("unit (day_month | dashed)", _day_month),
        Rule("day_month", _day_month),
        Rule("unit? weekday number ordinal? of? month (of? year)?", _named_month),
        Rule("unit? number ordinal? of? month (of? year)?", _named_month, frozenset({"unit"})),
        Rule("month number ordinal? (mark? year)?", _named_month),
        Rule("(unit of?)? month year", _month),
        Rule("unit of? month", _month),
        Rule("unit? weekday (last | next)", _weekday),
        Rule("since unit? weekday", _weekday),
        Rule("(last | next | this) unit? weekday", _weekday),
        Rule("(in | hence) (number | an)? (unit | dual)(?! next | last | weekday | number)", _distance),
        Rule("(number | an) unit hence", _distance),
        Rule("dual hence", _distance),
        Rule("(ago | since) (an? number unit | an? dual | an? unit (?! next | last | weekday | number))", _distance),
        Rule("(number | an) unit ago", _distance),
        Rule("(this | last | next) (number | an)? unit", _period),
        Rule("unit (next | last | this)", _period),
        Rule("unit? weekday", _weekday),
        Rule("day", _day),
        Rule("unit number (?! unit)", _day_of_month),
    ],
)
