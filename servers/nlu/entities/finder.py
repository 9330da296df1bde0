"""Finds what a message names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from servers.kit.text.folding import Folded, fold
from servers.kit.text.normalise import ascii_digits
from servers.nlu.entities.amounts import find_amounts
from servers.nlu.entities.cities import find_cities
from servers.nlu.entities.cues import has_cue
from servers.nlu.entities.dates import find_dates
from servers.nlu.entities.goods import find_goods
from servers.nlu.entities.grammar import Span
from servers.nlu.entities.mention import Mention
from servers.nlu.entities.references import find_references, find_urls
from servers.nlu.entities.times import find_times
from servers.nlu.entities.tokens import tokenise

Claim = tuple[str, str, int, int]
"""Type, value, start, end: a `Finding` or a `Mention`."""

TIME_ZONE = ZoneInfo("Africa/Casablanca")

_HAS_DIGIT = re.compile("[0-9]")


def find_entities(text: str, claims: Sequence[Claim] = (), now: datetime | None = None) -> list[Mention]:
    """Entities of the text, in order, without overlaps.

    `claims` are what was found before and stands before all others: personal data, a tenant's own. `now` is when it was written, an aware time, to which
    `ghda` and `demain` are relative: the present when left out. Where two finders claim the same words, the more specific
    one has them: a phone number is no quantity, and `12 mars` no twelve pieces.
    """
    taken = bytearray(len(text))
    mentions: list[Mention] = []
    for mention in _candidates(text, claims, now):
        if taken.find(1, mention.start, mention.end) < 0:
            taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
            mentions.append(mention)
    return sorted(mentions, key=lambda mention: mention.start)


def _candidates(text: str, claims: Sequence[Claim], now: datetime | None) -> Iterator[Mention]:
    """What every finder claims, the most specific first."""
    for claim in claims:
        yield Mention(*claim)
    yield from find_urls(text)
    folded = fold(text)
    if not has_cue(folded.text):
        if _HAS_DIGIT.search(folded.text):
            yield from find_references(ascii_digits(text))
        return
    now = datetime.now(TIME_ZONE) if now is None else now.astimezone(TIME_ZONE)
    tokens = tokenise(folded.text)
    yield from _mentions("amount", find_amounts(tokens, now), folded)
    yield from _mentions("date", find_dates(tokens, now), folded)
    yield from _mentions("time", find_times(tokens, now), folded)
    if _HAS_DIGIT.search(folded.text):
        yield from find_references(ascii_digits(text))
    for type_, span in find_goods(tokens, now):
        yield from _mentions(type_, [span], folded)
    yield from _mentions("city", find_cities(tokens, folded), folded)


def _mentions(type_: str, spans: Iterable[Span], folded: Folded) -> Iterator[Mention]:
    for span in spans:
        yield Mention(type_, span.value, *folded.span(span.start, span.end))
