"""Reading by rules: what answers while the models are out of reach. Plainer, but never silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.kit.text.normalise import normalise, sound
from servers.nlu.labels import Labels
from servers.nlu.lexicon import Lexicon, read_lexicon

Probabilities = NDArray[np.float32]

_SMALL_TALK = frozenset({"greeting", "thanks", "goodbye"})
_NEGATIVE = ("angry",)
_POSITIVE = ("great", "thank")
_HIGH = ("fraud", "lost_stolen", "outage")
_MEDIUM = ("failed", "down", "late", "damaged", "wrong_item", "card_trouble", "not_arrived", "broken_tech", "angry")
_DOUBT = 2.0  # weight of "none of them", against 3 for an intent told by one concept and 9 by two
_SHORT = 4  # phrases under this length must be whole words
_FEWEST_SOUNDS = 3


class Judgement(NamedTuple):
    """Probabilities for one message, in the order of `Labels`."""

    intent: Probabilities
    sentiment: Probabilities
    urgency: Probabilities


class Rules:
    """Scores messages by the concept lexicon, which is read when it is first needed."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    @cached_property
    def _lexicon(self) -> Lexicon:
        return read_lexicon()

    @cached_property
    def _phrases(self) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Concept → its phrases as they are written and as they sound, ready to be looked for."""
        return {
            concept: (
                tuple({_needle(normalise(phrase), _SHORT) for phrases in languages.values() for phrase in phrases}),
                tuple(
                    {
                        f" {skeleton} "
                        for language in ("darija_arabizi", "darija_arabic")
                        for phrase in languages[language]
                        if len(skeleton := sound(normalise(phrase))) >= _FEWEST_SOUNDS
                    }
                ),
            )
            for concept, languages in self._lexicon.concepts.items()
        }

    def score(self, text: str, in_darija: bool) -> Judgement:
        """Probabilities by rule. Only Darija, which has no spelling of its own, is also taken by its sound."""
        labels = self._labels
        concepts = self._concepts(normalise(text), in_darija)
        intents = self._intents(concepts)
        columns = (
            _share([intents.get(name, 0.0) for name in labels.intents], _DOUBT),
            _one_of(labels.sentiments, _sentiment(concepts)),
            _one_of(labels.urgencies, _urgency(concepts)),
        )
        return Judgement(*(np.array(column, np.float32) for column in columns))

    def _concepts(self, normalised: str, in_darija: bool) -> frozenset[str]:
        """Concepts the text speaks of."""
        written, heard = f" {normalised} ", f" {sound(normalised)} " if in_darija else ""
        return frozenset(
            concept
            for concept, (phrases, sounds) in self._phrases.items()
            if any(phrase in written for phrase in phrases) or any(phrase in heard for phrase in sounds)
        )

    def _intents(self, concepts: frozenset[str]) -> dict[str, float]:
        weights: dict[str, float] = {}
        for intent, names in self._lexicon.cues:
            if concepts.issuperset(names):
                weights[intent] = max(weights.get(intent, 0.0), 3.0 ** len(names))
        said = {intent: weight for intent, weight in weights.items() if intent not in _SMALL_TALK}
        return said or weights


def _needle(phrase: str, short: int) -> str:
    return f" {phrase} " if len(phrase) < short else f" {phrase}"


def _share(weights: Sequence[float], doubt: float = 0.0) -> list[float]:
    total = sum(weights) + doubt
    return [weight / total for weight in weights] if total else [1.0 / len(weights)] * len(weights)


def _one_of(words: Sequence[str], word: str) -> list[float]:
    return [float(candidate == word) for candidate in words]


def _sentiment(concepts: frozenset[str]) -> str:
    if concepts.intersection(_NEGATIVE):
        return "negative"
    return "positive" if concepts.intersection(_POSITIVE) else "neutral"


def _urgency(concepts: frozenset[str]) -> str:
    if concepts.intersection(_HIGH):
        return "high"
    return "medium" if concepts.intersection(_MEDIUM) else "low"
