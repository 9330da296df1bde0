"""Figures of the models: accuracy per language, calibration, and retrieval across languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.corpus import LANGUAGES, Example

_BINS = 10


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
    print("| language | sentences | language | intent | intent in top 3 | confident | right when confident | sentiment | urgency |")
    print("|---|---|---|---|---|---|---|---|---|")
    for language in (*LANGUAGES, "all"):
        chosen = (languages == language) | (language == "all")
        intent, wanted = probabilities["intent"][chosen], targets["intent"][chosen]
        top3 = (np.argsort(intent)[:, -3:] == wanted[:, None]).any(1).mean()
        confident = intent.max(1) >= 0.5
        figures = (
            accuracy(probabilities["language"][chosen], targets["language"][chosen]),
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
