"""What a tenant's own intents say of a message, and how that goes with what the built-in ones say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from salambot.nlu.v1 import nlu_pb2

from servers.nlu.intents.head import Head, Vectors

LEAST_CONFIDENCE = 0.5
"""An intent less probable than this is `unknown`, and a tenant's does not stand before the built-in ones: the contract's figure."""

_EVERYBODY_S = frozenset({"greeting", "thanks", "goodbye", "human_agent", "bot_identity"})
_NEAR_CERTAINTY = 0.9
_ALTERNATIVES = 3
_LEAST_ALTERNATIVE = 0.01


@dataclass(frozen=True, slots=True)
class IntentReading:
    """The most probable intents of a tenant for a message, best first, and the version that named them."""

    version: str
    scores: tuple[nlu_pb2.IntentScore, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A version in force: its name and its head."""

    version: str
    head: Head

    def read(self, vectors: Vectors) -> list[IntentReading]:
        """A reading of each message: `vectors` is float32, (messages, head.width)."""
        probabilities = self.head.probabilities(vectors)
        orders = np.argsort(-probabilities, axis=1)[:, : _ALTERNATIVES + 1]
        return [
            IntentReading(
                self.version,
                tuple(
                    nlu_pb2.IntentScore(intent=self.head.intents[column], confidence=float(row[column]))
                    for column in order
                    if row[column] >= _LEAST_ALTERNATIVE
                ),
            )
            for row, order in zip(probabilities, orders, strict=True)
        ]


def decide(analysis: nlu_pb2.Analysis, reading: IntentReading) -> None:
    """Makes the tenant's intent that of the analysis where it is probable; else it joins the alternatives.

    Where the built-in intent is one that customers of every business have, the tenant's must be nearly certain: `salam`
    is nothing like its examples, of which one is nearest all the same. So greetings, thanks and the wish for a person are
    understood whatever the tenant trained.
    """
    others = [*reading.scores, *analysis.alternatives]
    if reading.scores and reading.scores[0].confidence >= _needed(analysis, reading.scores[0].intent):
        best = reading.scores[0]
        if analysis.confidence >= LEAST_CONFIDENCE:  # else the built-in intent is `unknown`
            others.append(nlu_pb2.IntentScore(intent=analysis.intent, confidence=analysis.confidence))
        analysis.intent, analysis.confidence, analysis.intents_version = best.intent, best.confidence, reading.version
    others.sort(key=lambda score: -score.confidence)
    named = {score.intent: score for score in reversed(others) if score.intent != analysis.intent}  # the best of a name
    del analysis.alternatives[:]
    analysis.alternatives.extend(sorted(named.values(), key=lambda score: -score.confidence)[:_ALTERNATIVES])


def _needed(analysis: nlu_pb2.Analysis, intent: str) -> float:
    """How probable the tenant's intent must be to stand before the built-in one."""
    return _NEAR_CERTAINTY if analysis.intent in _EVERYBODY_S and analysis.intent != intent else LEAST_CONFIDENCE
