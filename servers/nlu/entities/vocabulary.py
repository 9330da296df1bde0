"""Vocabularies: phrases in five languages, and the concept each stands for.

A file of a vocabulary has three columns, class, concept and phrases: `weekday  6  dimanche|l7ed|الأحد`. `chunk` takes the
longest phrase at each place of a message.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Container, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from servers.kit.text.folding import fold
from servers.nlu.entities.tokens import WORD, Token, Tokens

FOLDER = Path(__file__).parent
OTHER = "other"
"""Class of a word that no phrase has."""

WORDS = re.compile(rf"{WORD}|[€$£]")
"""Pattern of what phrases are made of."""


class Phrase(NamedTuple):
    """Words that stand for a concept."""

    words: tuple[str, ...]
    name: str
    """The class."""
    concept: str


class Chunk(NamedTuple):
    """A stretch of a message: a phrase of the vocabulary, a number or a single token of any other kind."""

    name: str
    concept: str
    start: int
    end: int
    token: Token
    """The last token of the chunk."""


class Vocabulary:
    """Phrases, found by their first word."""

    def __init__(self, phrases: Iterable[Phrase], telling: Container[str] | None = None) -> None:
        """A message without numbers that has no phrase of a `telling` class (None: of any) has nothing of the kind."""
        self._by_first: dict[str, list[Phrase]] = {}
        for phrase in phrases:
            self._by_first.setdefault(phrase.words[0], []).append(phrase)
        for same in self._by_first.values():
            same.sort(key=lambda phrase: len(phrase.words), reverse=True)
        self._firsts = frozenset(self._by_first)
        self.cues = frozenset(
            max(phrase.words, key=len)
            for same in self._by_first.values()
            for phrase in same
            if telling is None or phrase.name in telling
        )
        """The longest word of each phrase of a telling class: `semaine` of `la semaine prochaine`."""

    def find(self, tokens: Sequence[Token], place: int) -> tuple[Phrase, int] | None:
        """The longest phrase that begins at this token, and how many letters of a prefix (`ف`, `l`) stand before it."""
        for skipped, stem in tokens[place].stems:
            for phrase in self._by_first.get(stem, ()):
                size = len(phrase.words)
                if size == 1 or phrase.words[1:] == tuple([token.form for token in tokens[place + 1 : place + size]]):
                    return phrase, skipped
        return None

    def chunk(self, tokens: Tokens) -> list[Chunk]:
        """The message in chunks, in order; none where it is seen at once that they would say nothing."""
        told = tokens.has_literal or not self.cues.isdisjoint(tokens.forms)
        counted = tokens.has_number and not self._firsts.isdisjoint(tokens.forms)
        if not (told or counted):
            return []
        chunks: list[Chunk] = []
        place = 0
        while place < len(tokens.all):
            token = tokens.all[place]
            if (found := self.find(tokens.all, place)) is None:
                name = OTHER if token.kind == "word" else token.kind
                chunks.append(Chunk(name, token.form, token.start, token.end, token))
                place += 1
                continue
            phrase, skipped = found
            place += len(phrase.words)
            last = tokens.all[place - 1]
            chunks.append(Chunk(phrase.name, phrase.concept, token.start + skipped, last.end, last))
        return chunks


@cache
def read_vocabulary(name: str, telling: tuple[str, ...]) -> Vocabulary:
    """The vocabulary of a file in this folder, with its `telling` classes."""
    phrases = (
        Phrase(words, row["class"], row["concept"])
        for row in read_rows(name)
        for phrase in row["phrases"].split("|")
        if (words := split(phrase))
    )
    return Vocabulary(phrases, telling)


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a tab-separated file in this folder, by the names of its first line."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def split(phrase: str) -> tuple[str, ...]:
    """The folded words of a phrase."""
    return tuple(WORDS.findall(fold(phrase).text))
