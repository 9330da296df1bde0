"""What the encoder learns from: texts of all five languages, each with the English sentence that says the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from training import public
from training.alignment import translations
from training.corpus import CORPORA, read_examples, read_lexicon, read_opinions, read_parallel
from training.mutations import Mutations

MUTATIONS = 90_000


class Kind(StrEnum):
    """Where a lesson comes from: how often it is shown, and in how many guises, differs."""

    SENTENCE = "sentence"
    PHRASE = "phrase"
    MUTATION = "mutation"


class Lesson(NamedTuple):
    """A text in a language, and an English text of the same meaning."""

    text: str
    language: str
    english: str
    kind: Kind


def read_lessons(seed: int = 7) -> list[Lesson]:
    """All lessons; those of public sets where they are given. Held-out sentences are left out."""
    sentences = list(dict.fromkeys(_sentences()))
    phrases = list(dict.fromkeys(_phrases()))
    english = sorted({lesson.english for lesson in sentences})
    mutations = Mutations(english, sorted({lesson.english for lesson in phrases}), seed).draw(MUTATIONS)
    return [*sentences, *phrases, *(Lesson(text, "en", text, Kind.MUTATION) for text in mutations)]


def _sentences() -> Iterator[Lesson]:
    own = [example.text for example in read_examples() if example.language == "en" and not example.held_out]
    generic = (CORPORA / "language" / "en.txt").read_text("utf-8").split("\n")
    for text in (*public.english(), *own, *filter(None, map(str.strip, generic))):
        yield Lesson(text, "en", text, Kind.SENTENCE)
    for arabic, english in translations():
        yield Lesson(arabic, "ar", english, Kind.SENTENCE)
    for texts in (*read_parallel(), *(opinion.texts for opinion in read_opinions())):
        yield from _translated(texts, Kind.SENTENCE)


def _phrases() -> Iterator[Lesson]:
    for entry in read_lexicon():
        if english := entry.get("en"):
            for language, phrases in entry.items():
                yield from (Lesson(phrase, language, english[0], Kind.PHRASE) for phrase in phrases)


def _translated(texts: dict[str, str], kind: Kind) -> Sequence[Lesson]:
    return [Lesson(text, language, texts["en"], kind) for language, text in texts.items()]
