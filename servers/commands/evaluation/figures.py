"""How well messages were read: the figures of one who answered, by language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servers.commands.evaluation.samples import OUT_OF_SCOPE, UNKNOWN, Sample

ALL = "all"
"""The row of all languages together."""

_OUTSIDE = (OUT_OF_SCOPE, UNKNOWN)
_BINS = 15  # of the calibration error, as the literature has it
_ANSWERS = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """A label for each message, in order, and its probability where the system gives one."""

    labels: Sequence[str]
    confidences: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are 0 to 1; None where there is nothing to count.

    `accuracy` is that of the messages in scope: those that are neither `out_of_scope` nor in an `unknown` language;
    `outside_recall` is the share of the others recognised as such. `macro_f1` is over the labels that the messages
    have, outside or not. `calibration_error` is the expected one. `answers` counts the most frequent ones.
    """

    messages: int
    accuracy: float | None
    macro_f1: float
    outside_recall: float | None
    calibration_error: float | None
    answers: dict[str, int]


def figures_by_language(samples: Sequence[Sample], answers: Answers) -> dict[str, Figures]:
    """Figures of each language of the samples that is named, by name, and of all of them last."""
    languages = np.array([sample.language for sample in samples])
    truth = np.array([sample.label for sample in samples])
    said = np.array(answers.labels)
    confidence = None if answers.confidences is None else np.array(answers.confidences)
    rows = {str(name): languages == name for name in np.unique(languages) if name}
    rows[ALL] = np.ones(len(samples), np.bool_)
    return {
        name: _figures(truth[row], said[row], None if confidence is None else confidence[row])
        for name, row in rows.items()
    }


def _figures(truth: NDArray[np.str_], said: NDArray[np.str_], confidence: NDArray[np.float64] | None) -> Figures:
    right = truth == said
    outside = np.isin(truth, _OUTSIDE)
    return Figures(
        messages=len(truth),
        accuracy=_share(right[~outside]),
        macro_f1=float(np.mean([_f1(truth == label, said == label) for label in np.unique(truth)])),
        outside_recall=_share(right[outside]),
        calibration_error=None if confidence is None else calibration_error(confidence, right),
        answers=dict(Counter(said.tolist()).most_common(_ANSWERS)),
    )


def _share(right: NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if right.size else None


def _f1(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    return float(2 * (truth & said).sum() / (truth.sum() + said.sum()))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How far confidence and accuracy lie apart, over bins of equal width, 0 to 1."""
    bins = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))
