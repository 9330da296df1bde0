"""The reader: a message in, what it says out. The models answer; rules do when the models are out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import structlog
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import nlu_pb2

from servers.kit.errors import Timeout, UpstreamError
from servers.kit.inference.interfaces import Inference
from servers.kit.text import personal_data
from servers.kit.text.features import encode
from servers.kit.text.masking import mask
from servers.kit.text.policy import MASK_ALL, Masking
from servers.nlu.entities import find_entities
from servers.nlu.labels import Labels, language_of, sentiment_of, urgency_of, word_of
from servers.nlu.rules import Probabilities, Rules, Scores

log = structlog.get_logger(__name__)

MODEL = "nlu"
OUTPUTS = ("language", "intent", "sentiment", "urgency")
UNKNOWN = "unknown"
LEAST_CONFIDENCE = 0.5
"""Intents less probable than this are `unknown`: the contract's figure."""

_BATCH = 64  # the model's max_batch_size
_PATIENCE_S = 2.0  # of the 5 s a message may take
_ALTERNATIVES = 3
_LEAST_ALTERNATIVE = 0.01
_FEW = 8  # characters that tell most messages to have words
_HINT_ODDS = 10.0  # how much a caller's word for the language weighs against the reader's


class Reader:
    """Reads messages."""

    def __init__(self, inference: Inference, labels: Labels) -> None:
        self._inference = inference
        self._labels = labels
        self._rules = Rules(labels)

    async def read(
        self,
        messages: Sequence[nlu_pb2.AnalyzeInput],
        masking: Masking = MASK_ALL,
        otherwise: envelope_pb2.Language.ValueType = envelope_pb2.LANGUAGE_FR,
    ) -> list[nlu_pb2.Analysis]:
        """One analysis for each message, in order. Never fails for want of the models: rules are `degraded`.

        A message without words (a number, an emoji) says neither a language nor a wish: it is taken to be in the
        language `otherwise`, with no confidence.
        """
        personal = [personal_data.find(message.text) for message in messages]
        # A customer's number or address says nothing of the language or the wish, and its digits look like Arabizi.
        texts = [_without(message.text, findings) for message, findings in zip(messages, personal, strict=True)]
        scores = await self._infer(texts)
        degraded = scores is None
        if scores is None:
            scores = self._rules.score(texts)
        analyses = [
            self._analysis(message, findings, scores, row, masking)
            for row, (message, findings) in enumerate(zip(messages, personal, strict=True))
        ]
        for message, analysis in zip(messages, analyses, strict=True):
            analysis.degraded = degraded
            if _is_wordless(message.text, analysis.entities):
                _say_nothing_of(analysis, message.lang or otherwise)
        return analyses

    async def _infer(self, texts: Sequence[str]) -> Scores | None:
        """What the models say; None when they are out of reach."""
        batches = (self._infer_batch(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                chunks = await asyncio.gather(*batches)
        except (UpstreamError, Timeout, TimeoutError) as error:
            log.warning("models out of reach, rules answer", problem=str(error) or "no answer in time")
            return None
        return Scores(*(np.concatenate([chunk[name] for chunk in chunks]) for name in OUTPUTS))

    async def _infer_batch(self, texts: Sequence[str]) -> Mapping[str, Probabilities]:
        return await self._inference.infer(MODEL, {"ids": encode(texts)}, OUTPUTS)

    def _analysis(
        self,
        message: nlu_pb2.AnalyzeInput,
        findings: Sequence[personal_data.Finding],
        scores: Scores,
        row: int,
        masking: Masking,
    ) -> nlu_pb2.Analysis:
        labels = self._labels
        language, language_confidence = _best(labels.languages, self._with_hint(scores.language[row], message))
        order = np.argsort(scores.intent[row])[::-1][: _ALTERNATIVES + 1]
        ranked = [
            nlu_pb2.IntentScore(intent=labels.intents[label], confidence=float(scores.intent[row, label]))
            for label in order
        ]
        known = ranked[0].confidence >= LEAST_CONFIDENCE
        return nlu_pb2.Analysis(
            language=language_of(language),
            intent=ranked[0].intent if known else UNKNOWN,
            confidence=ranked[0].confidence,
            entities=[
                nlu_pb2.Entity(type=entity.type, value=entity.value, start=entity.start, end=entity.end)
                for entity in find_entities(message.text, findings)
            ],
            sentiment=sentiment_of(_best(labels.sentiments, scores.sentiment[row])[0]),
            urgency=urgency_of(_best(labels.urgencies, scores.urgency[row])[0]),
            masked_text=mask(message.text, masking.policy, key=masking.key, findings=findings),
            language_confidence=language_confidence,
            alternatives=[
                score for score in (ranked[1:] if known else ranked[:-1]) if score.confidence >= _LEAST_ALTERNATIVE
            ],
        )

    def _with_hint(self, probabilities: Probabilities, message: nlu_pb2.AnalyzeInput) -> Probabilities:
        hint = word_of(message.lang)
        if hint not in self._labels.languages:
            return probabilities
        weighted = probabilities.copy()
        weighted[self._labels.languages.index(hint)] *= _HINT_ODDS
        weighted /= weighted.sum()
        return weighted


def _is_wordless(text: str, entities: Sequence[nlu_pb2.Entity]) -> bool:
    if any(character.isalpha() for character in text[:_FEW]) and not entities:
        return False
    return not any(character.isalpha() for character in _without(text, entities))


def _without(text: str, parts: Sequence[nlu_pb2.Entity] | Sequence[personal_data.Finding]) -> str:
    """The text with blanks in the place of `parts`."""
    if not parts:
        return text
    rest = list(text)
    for part in parts:
        rest[part.start : part.end] = " " * (part.end - part.start)
    return "".join(rest)


def _say_nothing_of(analysis: nlu_pb2.Analysis, language: envelope_pb2.Language.ValueType) -> None:
    analysis.language = language
    analysis.language_confidence = 0
    analysis.intent = UNKNOWN
    analysis.confidence = 0
    analysis.sentiment = envelope_pb2.SENTIMENT_NEUTRAL
    analysis.urgency = envelope_pb2.URGENCY_LOW
    del analysis.alternatives[:]


def _best(words: Sequence[str], probabilities: Probabilities) -> tuple[str, float]:
    label = int(probabilities.argmax())
    return words[label], float(probabilities[label])
