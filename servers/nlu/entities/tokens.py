"""Tokens of a folded text: words, numbers, written dates and clock times, and the marks that part phrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from servers.nlu.entities.numerals import NUMERALS, Numeral, parse, start, step

WORD = r"د\.م(?!\w)|[^\W\d_][^\W_]*|\d+[^\W_]*"
"""Pattern of a word; the dirham's sign in Arabic is one."""

SUFFIXES = (
    r"(?:dhs?|mad|drahe?m|dirhams?|euros?|eur|usd|ryal|h|heures?|am|pm|[gm][ob]|giga|mega|kgs?|kilos?|gr?|ml|cl|cm|pcs?|pieces?|k"
    r"|th|st|nd|rd|er|eme|j|jours?|iyam|ayam|days?|درهم|دراهم|ريال|كيلو|ايام)(?![^\W_])"
)  # what is written on to a number; any other letters behind digits are Arabizi (`9bl`)
_TOKEN = re.compile(
    r"(?P<word>د\.م(?!\w)|[^\W\d_][^\W_]*)"  # first, for most tokens are words
    r"|(?P<date>(?<![\w/.-])(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}(?P<by>[/.-])\d{1,2}(?P=by)(?:\d{4}|\d{2}))(?![\w/-]))"
    r"|(?P<day_month>(?<![\w/.,-])\d{1,2}/\d{1,2}(?![\w/-]))"
    r"|(?P<dashed>(?<![\w/.,-])\d{1,2}-\d{1,2}(?![\w/-]))"
    r"|(?P<clock>(?<![\w:.,])\d{1,2}(?: ?h ?|:)[0-5]\d(?![\w:]))"
    r"|(?P<number>(?<![\w])(?:[1-9]\d{0,2}(?:[ .,]\d{3}){1,4}(?!\d)|\d{1,12})(?:[.,]\d{1,2})?"
    rf"(?:(?![^\W_])|(?!3am(?!\w))(?={SUFFIXES})))"
    r"|(?P<digit_word>\d[^\W_]*)|(?P<colon>[:=])|(?P<symbol>[€$£])|(?P<mark>[^\w\s'’\-])",
)
_TOKEN_WITHOUT_DIGITS = re.compile(rf"(?P<word>{WORD})|(?P<colon>[:=])|(?P<symbol>[€$£])|(?P<mark>[^\w\s'’\-])")
STRETCHED = re.compile(r"([^\W\dx])\1{2,}")
"""A letter that counts once: `ghdaaa`, but not `XXXL`."""

_HAS_DIGIT = re.compile("[0-9]")
_LITERALS = frozenset({"date", "day_month", "dashed", "clock"})
_ARABIC_PREFIXES = frozenset("وفبلك")
_LATIN_PREFIXES = frozenset("fblwm")
_SHORTEST_ARABIC, _SHORTEST_LATIN = 3, 4  # letters of a word behind a prefix
_MOST_REMEMBERED = 20_000  # words
_AND = frozenset({"w", "ou", "et", "and", "و"})

Stems = tuple[tuple[int, str], ...]


class Token(NamedTuple):
    """A token of a folded text, `folded[start:end]`."""

    kind: str
    """`word`, `number`, `date`, `day_month`, `dashed`, `clock`, `colon`, `symbol` or `mark`."""
    form: str
    start: int
    end: int
    stems: Stems
    """The form, then what it may be without the small words written on to it (`فالرباط`, `fcasa`), and their length."""
    number: Decimal | None = None


class Tokens(NamedTuple):
    """The tokens of a message, and what tells quickly that it names nothing of a kind."""

    all: Sequence[Token]
    forms: frozenset[str]
    """The forms and stems of all tokens."""
    has_number: bool
    has_literal: bool
    """Whether there is a date or time of day in digits."""


def tokenise(folded: str) -> Tokens:
    """Tokens in order. Numbers in digits, in words, or both (`3 alaf`) are one token each, with what they are worth."""
    pattern = _TOKEN if _HAS_DIGIT.search(folded) else _TOKEN_WITHOUT_DIGITS
    stretched = STRETCHED.search(folded) is not None
    tokens = []
    for match in pattern.finditer(folded):
        form = STRETCHED.sub(r"\1", match[0]) if stretched else match[0]
        kind = str(match.lastgroup).removeprefix("digit_")
        tokens.append(Token(kind, form, *match.span(), stems_of(form)))
    tokens = _with_numbers(tokens)
    kinds = {token.kind for token in tokens}
    forms = frozenset([stem for token in tokens for _, stem in token.stems])
    return Tokens(tokens, forms, "number" in kinds, not _LITERALS.isdisjoint(kinds))


@lru_cache(maxsize=_MOST_REMEMBERED)
def stems_of(form: str) -> Stems:
    """The form, then what it may be without the small words written on to it, each behind how many letters it skips."""
    first = form[0]
    if first < "\u0600":
        if first in _LATIN_PREFIXES and len(form) > _SHORTEST_LATIN:
            return (0, form), (1, form[1:])
        return ((0, form),)
    if first not in _ARABIC_PREFIXES or len(form) <= _SHORTEST_ARABIC:
        return ((0, form),)
    stems = [(0, form)]
    skipped = 0
    while skipped < 2 and len(form) > skipped + _SHORTEST_ARABIC and form[skipped] in _ARABIC_PREFIXES:
        skipped += 1
        stems.append((skipped, form[skipped:]))
        if form.startswith("لل", skipped - 1):
            stems.append((skipped, "ا" + form[skipped:]))
    return tuple(stems)


def _with_numbers(tokens: Sequence[Token]) -> list[Token]:
    result: list[Token] = []
    place = 0
    while place < len(tokens):
        first = tokens[place]
        skipped, numeral = _numeral(first)
        if numeral is None:
            result.append(first)
            place += 1
            continue
        count, end = start(numeral), place
        follower = _follower(tokens, place + 1)
        while follower is not None and (longer := step(count, *follower[1:])) is not None:
            count, end = longer, follower[0]
            follower = _follower(tokens, end + 1)
        last = tokens[end]
        form = first.form if end == place else f"{first.form} {last.form}"
        result.append(Token("number", form, first.start + skipped, last.end, ((0, form),), count.value))
        place = end + 1
    return result


def _numeral(token: Token) -> tuple[int, Numeral | None]:
    """The number of a token, if it is one, behind the letters of an `and` written on to it."""
    if token.kind == "number":
        return 0, Numeral(parse(token.form), in_digits=True)
    if token.kind != "word":
        return 0, None
    if (numeral := NUMERALS.get(token.form)) is None and token.form[0] == "و":
        return 1, NUMERALS.get(token.form[1:])
    return 0, numeral


def _follower(tokens: Sequence[Token], place: int) -> tuple[int, Numeral, bool] | None:
    """The number word that goes on from the one before: where it is, what it is, whether an `and` joins it."""
    if place >= len(tokens) or tokens[place].kind != "word":
        return None
    joined = tokens[place].form in _AND
    if joined:
        place += 1
        if place >= len(tokens):
            return None
    skipped, numeral = _numeral(tokens[place])
    return None if numeral is None else (place, numeral, joined or skipped > 0)
