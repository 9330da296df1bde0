"""The reader: a message in, what it says out. The models answer; rules do when the models are out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
import structlog
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import nlu_pb2

from servers.kit.errors import UpstreamError
from servers.kit.gathering import Gathering
from servers.kit.inference.encoder import MODEL
from servers.kit.inference.interfaces import Inference
from servers.kit.text import personal_data
from servers.kit.text.features import encode
from servers.kit.text.masking import mask
from servers.nlu.code_switching import Span, SpanFinder
from servers.nlu.conditions import BY_DEFAULT, Conditions
from servers.nlu.entities import find_entities
from servers.nlu.entities.finder import Claim
from servers.nlu.intents.reading import LEAST_CONFIDENCE, IntentReading, decide
from servers.nlu.labels import Labels, language_of, sentiment_of, urgency_of, word_of
from servers.nlu.language import SERVED, Identified, language_model, nearest
from servers.nlu.rules import Probabilities, Rules
from servers.nlu.sight import seen

log = structlog.get_logger(__name__)

OUTPUTS = ("intent", "sentiment", "urgency", "vector")
UNKNOWN = "unknown"
_BATCH = 32  # half of max_batch_size: larger ones leave the cache of the processor
_PATIENCE_S = 2.0  # of the 5 s a message may take
_ALTERNATIVES = 3
_LEAST_ALTERNATIVE = 0.01
_FEW = 8  # characters that tell most messages to have words
_HINT_ODDS = 10.0  # how much a caller's word for the language weighs against the reader's
_BARE = frozenset({"phone", "email", "url", "iban", "rib", "card_number", "cin", "amount", "order_number"})  # not words
_FOREIGN = 0.5  # probability of being in none of the five from which a tenant's wish for those counts


class Scores(NamedTuple):
    """What is said of one message, labels by their place in `Labels`.

    The probability of each language; the most probable intents with theirs, best first; the vector, if models said it;
    the stretches in one language.
    """

    language: Sequence[float]
    intents: Sequence[tuple[int, float]]
    sentiment: int
    urgency: int
    vector: Probabilities | None
    spans: Sequence[Span]


class Reader:
    """Reads messages."""

    def __init__(self, inference: Inference, labels: Labels) -> None:
        self._inference = inference
        self._labels = labels
        self._language = language_model()
        self._spans = SpanFinder(self._language)
        self._rules = Rules(labels)
        self._infer = Gathering(self._infer_batch, most=_BATCH, patience_s=_PATIENCE_S)

    async def read(
        self, messages: Sequence[nlu_pb2.AnalyzeInput], conditions: Conditions = BY_DEFAULT
    ) -> list[nlu_pb2.Analysis]:
        """One analysis for each message, in order. Never fails for want of the models: rules are `degraded`.

        A message without words (a number, an emoji) says neither a language nor a wish: it is taken to be in the
        language `conditions.otherwise`, with no confidence.
        """
        personal = [personal_data.find(message.text) for message in messages]
        texts = [seen(message.text, findings) for message, findings in zip(messages, personal, strict=True)]
        scores, degraded = await self._score(texts)
        readings = _own_intents(conditions, scores)
        analyses = []
        for message, findings, score, reading in zip(messages, personal, scores, readings, strict=True):
            analysis = self._analysis(message, findings, score, conditions)
            analysis.degraded = degraded
            analysis.model_version = "" if degraded else self._labels.version
            if reading is not None:
                decide(analysis, reading)
            if _is_wordless(message.text, analysis.entities):
                _say_nothing_of(analysis, message.lang or conditions.otherwise)
            elif analysis.unknown_language < _FOREIGN:
                analysis.spans.extend(
                    nlu_pb2.LanguageSpan(
                        language=language_of(span.language), confidence=span.confidence, start=span.start, end=span.end
                    )
                    for span in score.spans
                )
            analyses.append(analysis)
        return analyses

    async def close(self) -> None:
        """Lets go of those who still wait for the models."""
        await self._infer.close()

    async def _score(self, texts: Sequence[str]) -> tuple[Sequence[Scores], bool]:
        """What the models say, or else the rules, and whether it was these."""
        try:
            return await self._ask(texts), False
        except (UpstreamError, TimeoutError) as error:
            log.warning("models out of reach, rules answer", problem=str(error) or "no answer in time")
        languages = self._language.probabilities(encode(texts))
        judgements = [
            self._rules.score(text, nearest(language).language.startswith("darija"))
            for language, text in zip(languages.tolist(), texts, strict=True)
        ]
        columns = map(np.stack, zip(*judgements, strict=True))
        return _scores(languages, *columns, vectors=repeat(None, len(texts)), spans=self._spans.find(texts)), True

    async def _ask(self, texts: Sequence[str]) -> Sequence[Scores]:
        """What the models say."""
        if len(texts) <= _BATCH:
            return await self._infer(texts)
        batches = (self._infer(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH))
        return [scores for batch in await asyncio.gather(*batches) for scores in batch]

    async def _infer_batch(self, texts: Sequence[str]) -> Sequence[Scores]:
        """Texts of several callers together: to encode and send 64 at once costs a third of what each alone would."""
        ids = encode(texts)
        answer = await self._inference.infer(MODEL, {"ids": ids}, OUTPUTS)
        languages = self._language.probabilities(ids)
        *columns, vectors = (answer[name] for name in OUTPUTS)
        return _scores(languages, *columns, vectors=vectors, spans=self._spans.find(texts))

    def _analysis(
        self,
        message: nlu_pb2.AnalyzeInput,
        findings: Sequence[personal_data.Finding],
        scores: Scores,
        conditions: Conditions,
    ) -> nlu_pb2.Analysis:
        labels, masking = self._labels, conditions.masking
        personal, public = _claims(message.text, findings, conditions)
        language = nearest(_with_hint(scores.language, message))
        ranked = [(labels.intents[label], probability) for label, probability in scores.intents]
        best, confidence = ranked[0]
        known = confidence >= LEAST_CONFIDENCE
        return nlu_pb2.Analysis(
            language=_served(language, conditions),
            intent=best if known else UNKNOWN,
            confidence=confidence,
            entities=_entities(message.text, personal, public),
            sentiment=sentiment_of(labels.sentiments[scores.sentiment]),
            urgency=urgency_of(labels.urgencies[scores.urgency]),
            masked_text=mask(message.text, masking.policy, key=masking.key, findings=personal),
            language_confidence=language.confidence,
            unknown_language=language.unknown,
            alternatives=[
                nlu_pb2.IntentScore(intent=intent, confidence=confidence)
                for intent, confidence in (ranked[1:] if known else ranked[:-1])
                if confidence >= _LEAST_ALTERNATIVE
            ],
        )


def _scores(
    languages: Probabilities,
    intents: Probabilities,
    sentiments: Probabilities,
    urgencies: Probabilities,
    *,
    vectors: Iterable[Probabilities | None],
    spans: Sequence[Sequence[Span]],
) -> list[Scores]:
    """A row for each message from the columns of all: an array at a time costs a third of what each row alone would."""
    order = np.argsort(intents)[:, ::-1][:, : _ALTERNATIVES + 1]
    probabilities = np.take_along_axis(intents, order, 1)
    ranked = map(zip, order.tolist(), probabilities.tolist())
    columns = languages.tolist(), map(list, ranked), sentiments.argmax(1).tolist(), urgencies.argmax(1).tolist()
    return [Scores(*row) for row in zip(*columns, vectors, spans, strict=True)]


def _own_intents(conditions: Conditions, scores: Sequence[Scores]) -> Sequence[IntentReading | None]:
    """What the tenant's own intents say of each message; nothing without any, or without vectors."""
    vectors = [score.vector for score in scores if score.vector is not None]
    if conditions.intents is None or len(vectors) < len(scores):
        return [None] * len(scores)
    return conditions.intents.read(np.stack(vectors))


def _claims(
    text: str, findings: Sequence[personal_data.Finding], conditions: Conditions
) -> tuple[list[personal_data.Finding], list[Claim]]:
    """What must be masked, and what else is named before the built-in finders look.

    Where two pieces of personal data overlap they are one, so that nothing of either is left.
    """
    public: list[Claim] = []
    private: list[personal_data.Finding] = []
    for finding in findings:
        kept = finding.kind == personal_data.Kind.PERSON and not conditions.masking.names
        (public if kept else private).append(finding)
    for kind, value, start, end, is_personal in conditions.matcher.find(text):
        (private if is_personal else public).append(personal_data.Finding(kind, value, start, end))
    personal: list[personal_data.Finding] = []
    for finding in sorted(private, key=lambda finding: finding.start):
        if not personal or personal[-1].end <= finding.start:
            personal.append(finding)
        elif personal[-1].end < finding.end:
            start = personal[-1].start
            personal[-1] = personal[-1]._replace(value=text[start : finding.end], end=finding.end)
    return personal, public


def _entities(
    text: str, personal: Sequence[personal_data.Finding], public: Sequence[Claim]
) -> Iterator[nlu_pb2.Entity]:
    starts = {finding.start for finding in personal}
    for type_, value, start, end in find_entities(text, [*personal, *public]):
        yield nlu_pb2.Entity(type=type_, value=value, start=start, end=end, personal=start in starts)


def _served(language: Identified, conditions: Conditions) -> envelope_pb2.Language.ValueType:
    """The language told: for a message in none of the five what the tenant wants, else the nearest."""
    if conditions.foreign is not None and language.unknown >= _FOREIGN:
        return conditions.foreign
    return language_of(language.language)


def _with_hint(probabilities: Sequence[float], message: nlu_pb2.AnalyzeInput) -> Sequence[float]:
    hint = word_of(message.lang)
    if hint not in SERVED:
        return probabilities
    hinted = SERVED.index(hint)
    odds = [_HINT_ODDS * probability if at == hinted else probability for at, probability in enumerate(probabilities)]
    total = sum(odds)
    return [each / total for each in odds]


def _is_wordless(text: str, entities: Sequence[nlu_pb2.Entity]) -> bool:
    if any(character.isalpha() for character in text[:_FEW]) and not entities:
        return False
    return not any(
        character.isalpha() for character in _without(text, [item for item in entities if item.type in _BARE])
    )


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
    analysis.unknown_language = 0
    analysis.intent = UNKNOWN
    analysis.confidence = 0
    analysis.intents_version = ""
    analysis.sentiment = envelope_pb2.SENTIMENT_NEUTRAL
    analysis.urgency = envelope_pb2.URGENCY_LOW
    del analysis.alternatives[:]
