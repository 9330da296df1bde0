"""What tells at a glance that a message names nothing: no number, and no word that a phrase of a vocabulary cannot do without.

That holds for more than half of all messages, and costs a tenth of looking for what they might name.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from servers.nlu.entities import amounts, cities, dates, goods, times
from servers.nlu.entities.numerals import NUMERALS
from servers.nlu.entities.tokens import STRETCHED, SUFFIXES, stems_of
from servers.nlu.entities.vocabulary import WORDS

_NUMBER = re.compile(rf"[0-9](?:.*[0-9]|$|{SUFFIXES})")  # `3h`, and not `3afak`
_MOST_REMEMBERED = 20_000  # words


def has_cue(folded: str) -> bool:
    """False where no finder that reads tokens would find anything in this folded text."""
    return any(map(_is_cue, WORDS.findall(folded)))


@lru_cache(maxsize=_MOST_REMEMBERED)
def _is_cue(word: str) -> bool:
    """Whether it may be a number, or a cue behind the small words written on to it."""
    form = STRETCHED.sub(r"\1", word)
    if _NUMBER.match(form) or form in NUMERALS or form.removeprefix("و") in NUMERALS:
        return True
    return not _cues().isdisjoint([stem for _, stem in stems_of(form)])


@cache
def _cues() -> frozenset[str]:
    """The cues of all vocabularies."""
    vocabularies = (
        amounts.vocabulary(),
        dates.vocabulary(),
        times.vocabulary(),
        goods.vocabulary(),
        cities.gazetteer(),
    )
    return frozenset().union(*(vocabulary.cues for vocabulary in vocabularies))
