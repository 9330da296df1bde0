"""How well labelled messages were read: the figures of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import intents_pb2

from servers.nlu.intents.head import OUT_OF_SCOPE, Probabilities

_BINS = 15  # of the calibration error, as the literature has it
_CONFUSIONS = 20


def report_on(
    messages: Sequence[intents_pb2.IntentExample], intents: Sequence[str], probabilities: Probabilities
) -> intents_pb2.IntentReport:
    """The report on at least one message; `probabilities` is (n, len(intents)), and what a row lacks to 1 is out of scope.

    A message is read as the most probable of all these.
    """
    names = sorted({*intents, OUT_OF_SCOPE, *(message.intent for message in messages)})
    place = {name: number for number, name in enumerate(names)}
    truth = np.array([place[message.intent] for message in messages])
    columns = np.array([place[name] for name in (*intents, OUT_OF_SCOPE)])
    everything = np.column_stack((probabilities, 1.0 - probabilities.sum(axis=1)))
    best = everything.argmax(axis=1)
    read = columns[best]
    right = read == truth
    by_intent = _by_intent(names, truth, read)
    outside = next((figures for figures in by_intent if figures.intent == OUT_OF_SCOPE), None)
    return intents_pb2.IntentReport(
        messages=len(messages),
        accuracy=float(right.mean()),
        macro_f1=float(np.mean([figures.f1 for figures in by_intent])),
        calibration_error=_calibration_error(everything.max(axis=1), right),
        out_of_scope_recall=outside.recall if outside is not None else 0.0,
        by_intent=by_intent,
        by_language=_by_language(messages, right),
        confusions=_confusions(names, truth[~right], read[~right]),
    )


def _by_intent(
    names: Sequence[str], truth: NDArray[np.intp], read: NDArray[np.intp]
) -> list[intents_pb2.IntentFigures]:
    """Figures of the intents that messages were of, the worst F1 first."""
    of, as_, hits = (np.bincount(places, minlength=len(names)) for places in (truth, read, truth[truth == read]))
    figures = [
        intents_pb2.IntentFigures(
            intent=names[int(place)],
            messages=int(of[place]),
            precision=float(hits[place] / max(as_[place], 1)),
            recall=float(hits[place] / of[place]),
            f1=float(2 * hits[place] / (of[place] + as_[place])),
        )
        for place in np.flatnonzero(of)
    ]
    return sorted(figures, key=lambda one: (one.f1, one.intent))


def _by_language(
    messages: Sequence[intents_pb2.IntentExample], right: NDArray[np.bool_]
) -> list[intents_pb2.LanguageFigures]:
    languages = np.array([message.language for message in messages])
    return [
        intents_pb2.LanguageFigures(
            language=envelope_pb2.Language.ValueType(int(language)),
            messages=int((languages == language).sum()),
            accuracy=float(right[languages == language].mean()),
        )
        for language in np.unique(languages)
    ]


def _confusions(
    names: Sequence[str], truth: NDArray[np.intp], read: NDArray[np.intp]
) -> list[intents_pb2.IntentConfusion]:
    pairs, counts = np.unique(np.column_stack((truth, read)), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CONFUSIONS]
    return [
        intents_pb2.IntentConfusion(
            intent=names[pairs[row, 0]], read_as=names[pairs[row, 1]], messages=int(counts[row])
        )
        for row in order
    ]


def _calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over bins of equal width."""
    bins = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))
