"""Figures of the models: accuracy per language, calibration, and retrieval across languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.corpus import LANGUAGES, Example

_BINS = 10
_NO_TOPIC = ("out_of_scope",)  # its sentences have nothing in common


def accuracy(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Share of rows whose most probable label is right."""
    return float((probabilities.argmax(1) == targets).mean())


def calibration_error(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Expected calibration error over ten equal bins of confidence."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return float(
        sum(
            (bins == index).mean() * abs(confidence[bins == index].mean() - right[bins == index].mean())
            for index in range(_BINS)
            if (bins == index).any()
        )
    )


def print_nlu(
    probabilities: Mapping[str, NDArray[np.float32]],
    examples: Sequence[Example],
    labels: Mapping[str, Sequence[str]],
) -> None:
    """Prints a Markdown table: accuracy of each task per language; intents also when confident, and calibration."""
    targets = {
        task: np.array([names.index(getattr(example, task)) for example in examples]) for task, names in labels.items()
    }
    languages = np.array([example.language for example in examples])
    print(
        "| language | sentences | intent | intent in top 3 | confident | right when confident | sentiment | urgency |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for language in (*LANGUAGES, "all"):
        chosen = (languages == language) | (language == "all")
        intent, wanted = probabilities["intent"][chosen], targets["intent"][chosen]
        top3 = (np.argsort(intent)[:, -3:] == wanted[:, None]).any(1).mean()
        confident = intent.max(1) >= 0.5
        figures = (
            accuracy(intent, wanted),
            top3,
            confident.mean(),
            accuracy(intent[confident], wanted[confident]),
            accuracy(probabilities["sentiment"][chosen], targets["sentiment"][chosen]),
            accuracy(probabilities["urgency"][chosen], targets["urgency"][chosen]),
        )
        print(f"| {language} | {chosen.sum()} | " + " | ".join(f"{100 * figure:.1f}" for figure in figures) + " |")
    error = calibration_error(probabilities["intent"], targets["intent"])
    print(f"\nExpected calibration error of the intents: {error:.3f}", flush=True)


def print_retrieval(
    embed: Callable[[Sequence[str], float], NDArray[np.float32]],
    passages: Sequence[Example],
    queries: Sequence[Example],
) -> None:
    """Prints how often the nearest passage shares the query's intent, by share of the lexical part.

    `across`: passages of the query's own language are left out; `within`: only they are searched.
    """
    passages = [example for example in passages if example.intent not in _NO_TOPIC]
    queries = [example for example in queries if example.intent not in _NO_TOPIC]
    same_intent = _equal(queries, passages, "intent")
    same_language = _equal(queries, passages, "language")
    print(
        "| lexical share | across: nearest | across: any of 5 | within: nearest | within: any of 5 |\n|---|---|---|---|---|"
    )
    for share in (0.0, 0.15, 0.3, 0.45, 0.6, 1.0):
        scores = embed([q.text for q in queries], share) @ embed([p.text for p in passages], share).T
        figures = []
        for chosen in (~same_language, same_language):
            nearest = np.argsort(-np.where(chosen, scores, -2), axis=1)[:, :5]
            right = np.take_along_axis(same_intent, nearest, axis=1)
            figures += [right[:, 0].mean(), right.any(1).mean()]
        print(f"| {share} | " + " | ".join(f"{100 * figure:.1f}" for figure in figures) + " |", flush=True)


def _equal(rows: Sequence[Example], columns: Sequence[Example], field: str) -> NDArray[np.bool_]:
    left = np.array([getattr(example, field) for example in rows])
    right = np.array([getattr(example, field) for example in columns])
    return left[:, None] == right[None, :]
