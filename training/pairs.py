"""Phrases of one meaning in several languages: what makes one language teach the others."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from servers.nlu.lexicon import read_lexicon as read_concepts
from training.corpus import read_lexicon
from training.variants import Variants

TEMPERATURE = 0.07


class Pairs:
    """Phrases of one meaning: translations of the lexicon and phrases of one concept."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._groups = [
            [(phrase, language) for language, phrases in entry.items() for phrase in phrases]
            for entry in [*read_lexicon(), *read_concepts().concepts.values()]
        ]

    def draw(self, count: int, variants: Variants) -> tuple[list[str], list[str]]:
        """Two lists of phrases that mean the same row by row, and different things from row to row."""
        groups = self._random.sample(self._groups, min(count, len(self._groups)))
        drawn = [self._random.sample(group, 2) for group in groups if len(group) > 1]
        left, right = zip(*((variants.vary(*one)[0], variants.vary(*other)[0]) for one, other in drawn), strict=True)
        return list(left), list(right)


def agreement(left: Tensor, right: Tensor) -> Tensor:
    """InfoNCE in both directions: row i of one side belongs to row i of the other."""
    logits = left @ right.T / TEMPERATURE
    targets = torch.arange(len(left))
    return (functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets)) / 2
