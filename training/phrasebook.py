"""Sentences made from the concept lexicon of the NLU rules: bare, but of every intent in every language."""

from __future__ import annotations

from random import Random

from servers.nlu.lexicon import Lexicon, read_lexicon
from training.corpus import LANGUAGES, Example


class Phrasebook:
    """Makes sentences; the same seed makes the same ones."""

    def __init__(self, seed: int, lexicon: Lexicon | None = None) -> None:
        self._random = Random(seed)
        self._lexicon = lexicon or read_lexicon()

    def sentences(self, count: int) -> list[Example]:
        """Sentences of random intents and languages; their sentiment and urgency are not known."""
        return [self._sentence() for _ in range(count)]

    def _sentence(self) -> Example:
        intent, concepts = self._random.choice(self._lexicon.cues)
        language = self._random.choice(LANGUAGES)
        phrases = [self._random.choice(self._lexicon.concepts[concept][language]) for concept in concepts]
        self._random.shuffle(phrases)
        return Example(" ".join(phrases), intent, language, "", "")
