"""Which language a message is in: a linear model over the hashed features that every model reads.

It knows the five languages that are served and two more classes, so that Egyptian is not taken for Darija, nor Spanish
for French: other Arabic dialects, and other languages in Latin letters. One table of int8 weights, read with numpy in
the process itself: 25 µs a message, and the same answer when the model server is down.

    model = language_model()
    model.identify(encode(["fin n9der nshouf la facture ?"]))[0].language      # "darija_arabizi"

`python -m training.language` makes `language.npz`, and says how well it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.kit.text.features import FEATURES_VERSION, SPACE

SERVED: Final = ("fr", "ar", "en", "darija_arabizi", "darija_arabic")
CLASSES: Final = (*SERVED, "other_arabic", "other_latin")
"""What the model tells apart, in the order of its outputs."""

FILE: Final = Path(__file__).parent / "language.npz"

_FR, _AR, _EN = 0, 1, 2
_OTHER_ARABIC, _OTHER_LATIN = 5, 6

Probabilities = NDArray[np.float32]


class Identified(NamedTuple):
    """The served language a message is in, or the nearest to it; its probability; that of it being in none of them."""

    language: str
    confidence: float
    unknown: float


class LanguageModel:
    """A row of weights for each feature: their sum over a text, by the square root of how many, is its evidence."""

    def __init__(self, table: NDArray[np.int8], scale: float, bias: Probabilities) -> None:
        """`table` (rows, 7) in steps of `scale`; `rows` is a power of two that ids are folded to, row 0 for none."""
        self.table = table
        self.scale = scale
        self.bias = bias
        self._fold = np.int32((SPACE // (len(table) - 1)).bit_length() - 1)

    def cooled(self, temperature: float) -> LanguageModel:
        """The same model, all its evidence divided by `temperature`."""
        return LanguageModel(self.table, self.scale / temperature, self.bias / np.float32(temperature))

    def logits(self, ids: NDArray[np.int32]) -> Probabilities:
        """Evidence for each class, not normalised: (n, L) ids, 0 for none → (n, 7)."""
        counts = np.count_nonzero(ids, 1)
        ids = ids[:, : counts.max(initial=0)]
        rows = ((ids - 1) >> self._fold) + 1  # -1 shifts to -1: padding stays row 0, which is nought
        sums = self.table.take(rows, 0).sum(1, dtype=np.int32)
        logits: Probabilities = (
            sums * (self.scale / np.sqrt(np.maximum(counts, 1)))[:, None].astype(np.float32) + self.bias
        )
        return logits

    def probabilities(self, ids: NDArray[np.int32]) -> Probabilities:
        """Probability of each of `CLASSES`: int32 (n, L) of `encode` → float32 (n, 7)."""
        return softmax(self.logits(ids))

    def identify(self, ids: NDArray[np.int32]) -> list[Identified]:
        """What each message is in. Another Arabic dialect is nearest to `ar`; another Latin language, to `fr` or `en`."""
        return [nearest(row) for row in self.probabilities(ids).tolist()]


def nearest(probabilities: Sequence[float]) -> Identified:
    """The best served language of one row of `LanguageModel.probabilities`, as a list."""
    best = probabilities.index(max(probabilities))
    if best == _OTHER_ARABIC:
        best = _AR
    elif best == _OTHER_LATIN:
        best = _FR if probabilities[_FR] >= probabilities[_EN] else _EN
    return Identified(SERVED[best], probabilities[best], sum(probabilities[len(SERVED) :]))


def softmax(logits: Probabilities) -> Probabilities:
    """Probabilities along the last axis."""
    raised: Probabilities = np.exp(logits - logits.max(-1, keepdims=True))
    raised /= raised.sum(-1, keepdims=True)
    return raised


def read_language_model(file: Path = FILE) -> LanguageModel:
    """Reads the model; raises OSError, or ValueError when it was trained on other features than these."""
    with np.load(file) as arrays:
        if int(arrays["features_version"]) != FEATURES_VERSION:
            raise ValueError(f"{file} was trained on other features than these; train again with `make train`")
        return LanguageModel(arrays["table"], float(arrays["scale"]), arrays["bias"])


@cache
def language_model() -> LanguageModel:
    """The model that comes with the code, read when it is first asked for."""
    return read_language_model()
