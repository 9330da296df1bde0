"""SalamBot's own answers, by the code that serves: the reader, or a head trained as a tenant's is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import nlu_pb2

from servers.commands.evaluation.figures import Answers
from servers.commands.evaluation.samples import OUT_OF_SCOPE, UNKNOWN, Problem, Sample, Task
from servers.kit.inference.encoder import MODEL
from servers.kit.inference.interfaces import Inference
from servers.kit.text.features import encode
from servers.nlu.intents.encoding import Encoder
from servers.nlu.intents.head import Head, train
from servers.nlu.labels import Labels, word_of
from servers.nlu.reader import Reader
from servers.nlu.sight import seen

Progress = Callable[[float], None]

_BATCH = 64
_NEUTRAL = "neutral"
_LEAST_UNKNOWN = 0.5
_ENCODING = 0.3  # share of a training that encoding takes


async def read_with_reader(problem: Problem, inference: Inference, labels: Labels, progress: Progress) -> Answers:
    """What Analyze says of each sample; `progress` is told the share that is done, 0 to 1.

    Answers are among what can be right: `unknown` is a language only where samples are in one, and a mood that is
    neutral where no sample's is has the likelier of the other two.
    """
    task, samples = problem.task, problem.samples
    reader = Reader(inference, labels)
    analyses: list[nlu_pb2.Analysis] = []
    for start in range(0, len(samples), _BATCH):
        batch = samples[start : start + _BATCH]
        analyses += await reader.read([nlu_pb2.AnalyzeInput(text=sample.text) for sample in batch])
        progress(len(analyses) / len(samples))
    possible = {sample.label for sample in samples}
    if task is Task.LANGUAGE:
        read = [_language(analysis, UNKNOWN in possible) for analysis in analyses]
        return Answers([label for label, _ in read], [confidence for _, confidence in read])
    if task is Task.INTENT:
        return Answers([_intent(analysis) for analysis in analyses], [analysis.confidence for analysis in analyses])
    if task is Task.URGENCY:
        return Answers([envelope_pb2.Urgency.Name(item.urgency).removeprefix("URGENCY_").lower() for item in analyses])
    moods = [envelope_pb2.Sentiment.Name(item.sentiment).removeprefix("SENTIMENT_").lower() for item in analyses]
    if _NEUTRAL in possible:
        return Answers(moods)
    sides = await _sides([sample.text for sample in samples], inference, labels)
    return Answers([side if mood == _NEUTRAL else mood for mood, side in zip(moods, sides, strict=True)])


def _language(analysis: nlu_pb2.Analysis, unknown: bool) -> tuple[str, float]:
    if unknown and analysis.unknown_language >= _LEAST_UNKNOWN:
        return UNKNOWN, analysis.unknown_language
    return word_of(analysis.language), analysis.language_confidence


def _intent(analysis: nlu_pb2.Analysis) -> str:
    """The most probable intent, whether it is probable enough to be served or not."""
    return analysis.alternatives[0].intent if analysis.intent == UNKNOWN and analysis.alternatives else analysis.intent


async def _sides(texts: Sequence[str], inference: Inference, labels: Labels) -> list[str]:
    """The likelier of positive and negative for each text."""
    sides = [name for name in labels.sentiments if name != _NEUTRAL]
    columns = [labels.sentiments.index(name) for name in sides]
    said: list[str] = []
    for start in range(0, len(texts), _BATCH):
        ids = encode([seen(text) for text in texts[start : start + _BATCH]])
        answer = await inference.infer(MODEL, {"ids": ids}, ["sentiment"])
        said += [sides[best] for best in answer["sentiment"][:, columns].argmax(axis=1)]
    return said


async def train_head(examples: Sequence[Sample], encoder: Encoder, progress: Progress) -> Head:
    """A head trained as a tenant's is; `progress` is told the share that is done, 0 to 1."""

    async def encoded(share: float) -> None:
        progress(_ENCODING * share)

    def trained(share: float) -> None:
        progress(_ENCODING + (1 - _ENCODING) * share)

    learnt = await encoder.encode([example.text for example in examples], encoded)
    intents = [example.label for example in examples]
    head, _ = await asyncio.to_thread(train, intents, learnt, trained)
    return head


async def read_with_head(samples: Sequence[Sample], head: Head, encoder: Encoder, progress: Progress) -> Answers:
    """What a head says of each sample: its most probable intent, or out of scope where that is more probable."""

    async def encoded(share: float) -> None:
        progress(share)

    read = await encoder.encode([sample.text for sample in samples], encoded)
    inside = head.probabilities(read)
    probabilities = np.column_stack((inside, 1 - inside.sum(axis=1)))
    names = (*head.intents, OUT_OF_SCOPE)
    return Answers([names[best] for best in probabilities.argmax(axis=1)], probabilities.max(axis=1).tolist())
