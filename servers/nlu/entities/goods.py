"""Sizes and quantities: `taille 42`, `XL`, `l9yas 40`; `2 pièces`, `jouj d les t-shirts`, `10 giga`, `bghit 3`.

A size is worth its number or letters; a quantity is worth its number and unit (`10 GB`), without a unit where pieces are
counted. A bare number is no quantity: it must be counted in something, be wanted, or be the Darija pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from servers.nlu.entities.grammar import Grammar, Rule, Span
from servers.nlu.entities.tokens import Tokens
from servers.nlu.entities.vocabulary import Chunk, Vocabulary, read_vocabulary

_LARGEST_SIZE = 250
_MOST_WANTED = 999  # above, a number without a unit is a reference
_FEWEST_GRAMS = 10  # 3G, 4G and 5G are networks
_TELLING = ("pair", "size", "letter")


def vocabulary() -> Vocabulary:
    """The words of sizes and quantities."""
    return read_vocabulary("goods.tsv", _TELLING)


def find_goods(tokens: Tokens, now: datetime) -> Iterator[tuple[str, Span]]:
    """Sizes of clothes and shoes, then quantities, each with its type."""
    chunks = vocabulary().chunk(tokens)
    for span in _SIZES.spans(chunks, now):
        yield "size", span
    for span in _QUANTITIES.spans(chunks, now):
        yield "quantity", span


def _size(chunks: Sequence[Chunk], now: datetime) -> str | None:
    last = chunks[-1]
    if last.name != "number":
        return last.concept
    number = last.token.number
    return _plain(number) if number is not None and 0 < number <= _LARGEST_SIZE else None


def _measured(chunks: Sequence[Chunk], now: datetime) -> str | None:
    number, unit = _number(chunks[0]), chunks[-1].concept
    if number is None or (unit == "g" and number < _FEWEST_GRAMS):
        return None
    return _plain(number) if unit == "piece" else f"{_plain(number)} {unit}"


def _counted(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """A number without a unit: small, whole, and no article (`un`, `wa7d`)."""
    chunk = chunks[0]
    number = _number(chunk)
    if number is None or number != int(number) or not 0 < number <= _MOST_WANTED:
        return None
    return None if number == 1 and not chunk.token.form.isdigit() else _plain(number)


def _nothing(chunks: Sequence[Chunk], now: datetime) -> None:
    return None


def _number(chunk: Chunk) -> Decimal | None:
    return Decimal(chunk.concept) if chunk.name == "pair" else chunk.token.number


def _plain(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}"


_CLASSES = ("unit", "want", "of", "pair", "duration", "size", "letter", "short")
_UNSAID = frozenset({"want", "of", "size", "colon"})
_SIZES = Grammar(
    _CLASSES,
    [
        Rule("size (of | colon)? (number | letter | short) (?! unit)", _size, _UNSAID),
        Rule("letter", _size),
    ],
)
_QUANTITIES = Grammar(
    _CLASSES,
    [
        Rule("(number | pair) of? duration", _nothing),
        Rule("want? of? (number | pair) of? unit", _measured, _UNSAID),
        Rule("(number | pair) of (?= other)", _counted, _UNSAID),
        Rule("want of? (number | pair) (?! duration)", _counted, _UNSAID),
        Rule("pair", _counted),
    ],
)
