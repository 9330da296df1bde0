"""Sentences in other guises, encoded once and drawn from in every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from training.corpus import Example, read_lexicon
from training.encoder import Bags, Ids
from training.variants import Variants

COUNT = 12
"""Guises of a sentence beside the one it was written in."""
WRITTEN = 1 / 3
"""How often it is drawn as it was written."""


class Guises:
    """Each example as it was written and in `COUNT` guises, which depend on the example alone: no other moves them."""

    def __init__(self, examples: Sequence[Example]) -> None:
        variants = Variants(0, read_lexicon())
        self._bags = Bags(
            [
                text
                for example in examples
                for text in (example.text, *variants.guises(example.text, example.language, COUNT))
            ]
        )

    def draw(self, examples: Ids, keep: float, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Ids and offsets, as `Encoder` wants them, of one guise of each example; a feature is kept with chance `keep`."""
        guise = np.where(random.random(len(examples)) < WRITTEN, 0, random.integers(1, COUNT + 1, len(examples)))
        return self._bags.draw(examples * (COUNT + 1) + guise, keep, random)
