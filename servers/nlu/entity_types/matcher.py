"""The matcher: all entity types of a tenant compiled into one, which finds what a message names."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from salambot.nlu.v1 import entity_types_pb2

from servers.kit.text.normalise import normalise
from servers.kit.text.offsets import normalise_with_offsets
from servers.nlu.entity_types.names import Hit, Names, Readings
from servers.nlu.entity_types.patterns import Pattern, compile_pattern, readable
from servers.nlu.entity_types.spelling import forms, is_arabic, is_telling, readings, renderings, sounds_of, words_of
from servers.nlu.entity_types.typos import Vocabulary

MOST_MENTIONS = 50
"""Mentions of one type that are told of a message."""

_MOST_MATCHES = 4 * MOST_MENTIONS  # of the patterns of one type, with those that are empty or overlap
_WRITTEN, _MISTYPED, _HEARD = range(3)


class Mention(NamedTuple):
    """`text[start:end]` names `value` of this type; `personal` asks for it to be masked."""

    type: str
    value: str
    start: int
    end: int
    personal: bool


class _Candidate(NamedTuple):
    """A mention, unless a better one stands in the same place; they sort by how good they are."""

    public: bool  # what must be masked goes first
    shortness: int
    start: int
    how: int
    mention: Mention


class _Sounds(dict[str, str]):
    """The skeleton of each word, made once."""

    def __missing__(self, word: str) -> str:
        (skeleton,) = sounds_of([word])
        self[word] = skeleton
        return skeleton


class Matcher:
    """Finds mentions of a tenant's entity types.

    Values and synonyms are found whatever their case, accents, letter variants and blanks, with an Arabic article, a
    glued preposition or a small typo, and in the other script where their consonants agree. A mention is the longest
    there is in its place.
    """

    def __init__(self, types: Sequence[entity_types_pb2.EntityType]) -> None:
        self.personal = frozenset(kind.name for kind in types if kind.personal)
        """The types that are personal data."""
        self.fingerprint = _fingerprint(types)
        """The same for the same definitions, in every process."""
        self._patterns: list[tuple[str, list[Pattern]]] = []
        self._written, self._heard = Names(glue=""), Names(glue=" ")
        self._vocabulary = Vocabulary()
        for kind in types:
            if kind.patterns:
                self._patterns.append((kind.name, [compile_pattern(pattern) for pattern in kind.patterns]))
            self._add_names(kind)

    def _add_names(self, kind: entity_types_pb2.EntityType) -> None:
        sounds = _Sounds()
        for entry in kind.values:
            for spelling in (entry.value, *entry.synonyms):
                words = words_of(normalise(spelling))
                name = (kind.name, entry.value, is_arabic(words))
                for spelt in forms(words):
                    self._written.add(spelt, name)
                    skeletons = [sounds[form] for form in spelt]
                    for rendering in renderings(skeletons) if is_telling(skeletons) else ():
                        self._heard.add(rendering, name)
                    for form in spelt:
                        self._vocabulary.add(form)

    def find(self, text: str) -> list[Mention]:
        """Mentions in order, without overlaps, at most MOST_MENTIONS of a type; never fails.

        Offsets are code points of the text as it was written. The time is linear in its length.
        """
        if not (self._written or self._patterns):  # most tenants have no types of their own
            return []
        candidates = sorted([*self._names_in(text), *self._matches_in(text)])
        taken = bytearray(len(text))
        told: Counter[str] = Counter()
        mentions = []
        for *_, mention in candidates:
            if told[mention.type] < MOST_MENTIONS and not any(taken[mention.start : mention.end]):
                taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
                told[mention.type] += 1
                mentions.append(mention)
        return sorted(mentions, key=lambda mention: mention.start)

    def _names_in(self, text: str) -> Iterator[_Candidate]:
        if not self._written:
            return
        normalised = normalise_with_offsets(text)
        words = normalised.text.split()
        begins, place = [], 0
        for word in words:
            begins.append(place)
            place += len(word) + 1
        written = [readings(word) for word in words]
        for how, hits in enumerate((self._written.find(written), self._mistyped(written), self._sounding(written))):
            for hit in hits:
                begin = begins[hit.first] + hit.skipped
                end = begins[hit.last - 1] + len(words[hit.last - 1])
                type_, value, _ = hit.name
                yield self._candidate(how, type_, value, *normalised.original(begin, end))

    def _mistyped(self, written: Readings) -> Iterator[Hit]:
        corrected = [[(skipped, self._vocabulary.corrected(form)) for skipped, form in word] for word in written]
        return self._written.find(corrected) if corrected != written else iter(())

    def _sounding(self, written: Readings) -> Iterator[Hit]:
        if not self._heard:
            return
        sounds = iter(sounds_of([form for word in written for _, form in word]))
        heard = [[(skipped, next(sounds)) for skipped, _ in word] for word in written]
        for hit in self._heard.find(heard):
            *_, arabic = hit.name
            one_script = arabic == is_arabic([word[0][1] for word in written[hit.first : hit.last]])
            if not one_script or is_telling([word[0][1] for word in heard[hit.first : hit.last]], one_script=True):
                yield hit

    def _matches_in(self, text: str) -> Iterator[_Candidate]:
        if not self._patterns:
            return
        legible = readable(text)
        for kind, patterns in self._patterns:
            spans = (span for pattern in patterns for span in pattern.find(legible))
            for start, end in islice(spans, _MOST_MATCHES):
                if start < end:
                    yield self._candidate(_WRITTEN, kind, text[start:end], start, end)

    def _candidate(self, how: int, kind: str, value: str, start: int, end: int) -> _Candidate:
        personal = kind in self.personal
        return _Candidate(not personal, start - end, start, how, Mention(kind, value, start, end, personal))


def _fingerprint(types: Sequence[entity_types_pb2.EntityType]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for kind in sorted(types, key=lambda kind: kind.name):
        digest.update(kind.SerializeToString(deterministic=True))
    return digest.hexdigest()


NOTHING = Matcher(())
"""Finds nothing."""
