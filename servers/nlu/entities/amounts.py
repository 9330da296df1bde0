"""Amounts of money: `1 250,50 DH`, `3 alaf dh`, `ميتين درهم`, `2000 ryal`, `$20`. Values are like `1250.50 MAD`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from servers.nlu.entities.grammar import Grammar, Rule, Span
from servers.nlu.entities.tokens import Tokens
from servers.nlu.entities.vocabulary import Chunk, Vocabulary, read_vocabulary

_IN_DIRHAMS = {"RYAL": Decimal("0.05"), "CENTIME": Decimal("0.01")}
_BEFORE = frozenset({"dh", "dhs", "mad", "€", "$", "£", "eur", "usd"})  # currencies that may stand before the number
_TELLING = ("currency",)


def vocabulary() -> Vocabulary:
    """The words of money."""
    return read_vocabulary("money.tsv", _TELLING)


def find_amounts(tokens: Tokens, now: datetime) -> Iterator[Span]:
    """Amounts among the tokens."""
    yield from _GRAMMAR.spans(vocabulary().chunk(tokens), now)


def _amount(chunks: Sequence[Chunk], now: datetime) -> str:
    said = {chunk.name: chunk for chunk in chunks}
    number, currency = said["number"].token.number, said["currency"].concept
    assert number is not None
    if share := _IN_DIRHAMS.get(currency):
        return f"{number * share:.2f} MAD"
    return f"{number:.2f} {currency}"


def _amount_behind(chunks: Sequence[Chunk], now: datetime) -> str | None:
    return _amount(chunks, now) if chunks[0].token.form in _BEFORE else None


_GRAMMAR = Grammar(
    ("currency", "of"),
    [
        Rule("number of? currency", _amount),
        Rule("currency number", _amount_behind),
    ],
)
