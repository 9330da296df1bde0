"""The first look at what the vector store found: nearness and overlap as one score.

The curves are fitted by `training.ranker`, to put what answers first and to say how likely it does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Curve(NamedTuple):
    """Weights of a logistic function of a candidate's measures; `gap` and `part` are beside the best candidate's."""

    nearness: float
    gap: float
    overlap: float
    part: float
    bias: float


BOTH = Curve(nearness=6.75, gap=5.97, overlap=0.85, part=3.35, bias=-4.71)
WORDS_ALONE = Curve(nearness=0.0, gap=0.0, overlap=1.98, part=3.98, bias=-4.83)
"""Where there is no vector to be near to."""


def relevances(nearness: Values, overlap: Values, curve: Curve) -> Values:
    """The probability that each candidate answers, (n,); `overlap` is a share of what the question's terms could give."""
    logits = (
        curve.nearness * nearness
        + curve.gap * (nearness - nearness.max(initial=-1.0))
        + curve.overlap * overlap
        + curve.part * overlap / max(overlap.max(initial=0.0), 1e-6)
        + curve.bias
    )
    probabilities: Values = 1 / (1 + np.exp(-logits))
    return probabilities
