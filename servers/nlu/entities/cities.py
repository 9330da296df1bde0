"""Moroccan cities, towns and quarters, in both scripts; the value is the French name.

Some are ordinary words as well (`sale`, `safi`, `الجديدة`, "the new one"): those are taken only behind a word of place, or
with a capital inside a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from servers.kit.text.folding import Folded
from servers.nlu.entities.grammar import Span
from servers.nlu.entities.tokens import Token, Tokens
from servers.nlu.entities.vocabulary import Phrase, Vocabulary, read_rows, split

_TOWN = "town"
_ORDINARY = "ordinary"
_PLACE_WORDS = {
    "f", "fi", "l", "mn", "men", "ville", "mdina", "mdint", "lmdina", "sakn", "saken", "sakna", "city", "town",
    "ف", "في", "من", "الى", "ل", "مدينه", "ساكن", "ساكنه", "لمدينه", "بمدينه", "فمدينه",
}  # fmt: skip
_PLACE_PREFIXES = ("ف", "ب", "ل", "f")


def find_cities(message: Tokens, folded: Folded) -> Iterator[Span]:
    """Places named in a message."""
    cities, tokens = gazetteer(), message.all
    place = 0 if not cities.cues.isdisjoint(message.forms) else len(tokens)
    while place < len(tokens):
        found = cities.find(tokens, place)
        if found is None:
            place += 1
            continue
        phrase, prefix = found
        start, end = tokens[place].start + prefix, tokens[place + len(phrase.words) - 1].end
        if phrase.name == _TOWN or _is_meant(tokens, place, prefix, folded):
            yield Span(phrase.concept, start, end)
        place += len(phrase.words)


def _is_meant(tokens: Sequence[Token], place: int, prefix: int, folded: Folded) -> bool:
    token = tokens[place]
    if prefix:
        return token.form[prefix - 1] in _PLACE_PREFIXES
    if place == 0:
        return False
    before = tokens[place - 1]
    inside = before.kind == "word" or before.form == ","
    return before.form in _PLACE_WORDS or (inside and folded.written(token.start, token.start + 1).isupper())


@cache
def gazetteer() -> Vocabulary:
    """The places that are known."""
    phrases = []
    for row in read_rows("cities.tsv"):
        ordinary = {split(spelling) for spelling in row["ordinary"].split("|")}
        for spelling in row["spellings"].split("|"):
            words = split(spelling)
            phrases.append(Phrase(words, _ORDINARY if words in ordinary else _TOWN, row["name"]))
    return Vocabulary(phrases)
