"""Values of a spreadsheet as the sheet shows them, with Morocco's way of writing numbers: `1 234,50 DH`, `20/11/2026`."""

from __future__ import annotations

import datetime
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from math import isfinite

_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.')
_DIGITS = re.compile(r"[0#?](?:[0#?,. \u00a0\u202f-]*[0#?])?")
_GENERALLY = Context(prec=10)  # figures that a cell without a format shows
_GENERAL = frozenset({"", "General", "@"})
_GROUPS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")


def shown(value: object, form: str) -> str:
    """A cell's value by its number format (`#,##0.00 "DH"`, `0%`, `dd/mm/yyyy`). Text comes back as it is."""
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).upper()
        case datetime.date():
            text = _date(value, form)
        case datetime.time():
            text = f"{value:%H:%M}"
        case datetime.timedelta():
            hours, minutes = divmod(round(value.total_seconds() / 60), 60)
            text = f"{hours}:{minutes:02}"
        case int() | float() if isfinite(value):
            text = _number(Decimal(repr(value)), form)
        case _:
            text = str(value)
    return text


def _date(value: datetime.date, form: str) -> str:
    date = f"{value:%Y-%m-%d}" if form.lower().startswith("y") else f"{value:%d/%m/%Y}"
    midnight = not isinstance(value, datetime.datetime) or value.time() == datetime.time()
    return date if midnight and "h" not in _LITERAL.sub("", form.lower()) else f"{date} {value:%H:%M}"


def _number(value: Decimal, form: str) -> str:
    """The first section of a format is that of positive numbers; a minus is put before it for the others."""
    section = form.split(";", maxsplit=1)[0]
    words: list[str] = []

    def literal(found: re.Match[str]) -> str:
        words.append(found[1] or found[2] or found[3] or "")
        return "\0"  # in its place, until the digits are written

    places = _LITERAL.sub(literal, section)
    digits = _DIGITS.search(places)
    if section in _GENERAL or digits is None:
        return f"{_GENERALLY.plus(value).normalize():f}".replace(".", ",")
    if "%" in places:
        value *= 100
    written = _digits(abs(value), digits[0])
    text = places[: digits.start()] + written + places[digits.end() :]
    for word in words:
        text = text.replace("\0", word, 1)
    return ("-" if value < 0 else "") + " ".join(text.split())


def _digits(value: Decimal, mask: str) -> str:
    """A number in the places of a mask: `0.00`, `#,##0`, `0000`, `00 00 00 00 00`."""
    whole, _, fraction = mask.partition(".")
    least = fraction.count("0")
    rounded = value.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP)
    number, _, decimals = f"{rounded:f}".partition(".")
    number = number.zfill(whole.count("0"))
    if "," in whole or re.search(r"#[ \u00a0\u202f]##", whole):
        number = _GROUPS.sub(" ", number)
    elif re.search(r"[ -]", whole):
        number = _filled(number, whole)
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    return f"{number},{decimals}" if decimals else number


def _filled(number: str, mask: str) -> str:
    """The digits in the places of a mask, from the right."""
    left = list(number)
    written = [(left.pop() if left else "") if place in "0#?" else place for place in reversed(mask)]
    return "".join(left) + "".join(reversed(written)).strip(" -")
