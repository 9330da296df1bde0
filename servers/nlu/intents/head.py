"""The head: from a message's vector to the tenant's intents.

Kernel ridge regression over the vectors of the examples: a message is an intent as far as its meaning lies near that of
the intent's examples. It is solved exactly, which also tells what each example would be read as had it not been there:
a cross-validation without a second training. On its answers the scores are made probabilities, and it is settled how far
from all examples a message is out of scope.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

OUT_OF_SCOPE = "out_of_scope"
"""The name tenants give to messages that are none of their intents."""

FORMAT = 2
"""Of `Head.to_bytes`: heads of another are trained again."""

EVALUATED = 0.9
"""The share of a training after which cross-validation is done and only calibration is left."""

MOST_EXAMPLES = 24_000
"""More are not learnt from, but a fair share of each intent: the kernel of so many takes 2.3 GB, and twice that while solved."""

Vectors = NDArray[np.float32]
Probabilities = NDArray[np.float32]
Progress = Callable[[float], None]

# Chosen once, on public sets of 64 to 150 intents. Twice the sharpness, or half the penalty, changed 0.4 points at most.
_SHARPNESS = np.float32(4.0)  # of the kernel: how fast likeness fades with distance
_PENALTY = np.float32(0.2)
_TEMPERATURES = np.geomspace(0.05, 0.5, 20)
_LOST = 0.005  # share of the messages read rightly that a floor may take to be out of scope
_FARTHER = (
    2 / 3
)  # how far messages reach of the scores of examples, which are nearer to each other: same hand, same language
_HIGHEST_FLOOR = 0.2  # examples that repeat one another score as no message will
_BLIND_FLOOR = 0.14  # the same where no example tells what lies beyond: other languages score lower, and are in scope
_SEED = 1


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head.

    `examples` is float32, (m, width); `weights` is float32, (m, labels); labels are `intents`, and behind them out of
    scope where examples of it were given. A score over `temperature` is a logit; that of none of them is at least
    `floor`.
    """

    intents: tuple[str, ...]
    examples: Vectors
    weights: Vectors
    temperature: float
    floor: float

    @property
    def width(self) -> int:
        """The width of the vectors it reads."""
        return int(self.examples.shape[1])

    @property
    def size(self) -> int:
        """Bytes of memory it takes."""
        return self.examples.nbytes + self.weights.nbytes

    def probabilities(self, vectors: Vectors) -> Probabilities:
        """Probability of each intent: float32, (n, len(intents)). What a row lacks to 1 is that of none of them."""
        scores = _kernel(vectors, self.examples) @ self.weights
        return _probabilities(scores, len(self.intents), self.temperature, self.floor)

    def to_bytes(self) -> bytes:
        """The head as NumPy's archive, without pickles, in half precision."""
        file = io.BytesIO()
        np.savez(
            file,
            intents=np.array(self.intents),
            examples=self.examples.astype(np.float16),
            weights=self.weights.astype(np.float16),
            curve=np.array([self.temperature, self.floor]),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Head:
        """A head that `to_bytes` wrote; raises ValueError."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            temperature, floor = arrays["curve"].tolist()
            examples, weights = (arrays[name].astype(np.float32) for name in ("examples", "weights"))
            return cls(tuple(arrays["intents"].tolist()), examples, weights, temperature, floor)


def train(intents: Sequence[str], vectors: Vectors, progress: Progress) -> tuple[Head, Probabilities]:
    """A head, and cross-validated probabilities of the examples: float32, (n, len(head.intents)).

    Tells the share that is done, 0 to 1. Raises ValueError when there are not as many vectors as intents.
    """
    if len(vectors) != len(intents):
        raise ValueError(f"{len(vectors)} vectors for {len(intents)} intents")
    known = tuple(sorted(set(intents) - {OUT_OF_SCOPE}))
    place = {label: column for column, label in enumerate((*known, OUT_OF_SCOPE))}
    truth = np.array([place[intent] for intent in intents])
    targets = np.eye(int(truth.max()) + 1, dtype=np.float32)[truth]
    learnt = _fair_share(truth)
    examples = np.ascontiguousarray(vectors[learnt], np.float32)
    kernel = _kernel(examples, examples)
    kernel[np.diag_indices_from(kernel)] += _PENALTY
    progress(0.1)
    factor, failed = lapack.spotrf(kernel.T, lower=1, overwrite_a=1)
    if failed:
        raise ValueError("the vectors of the examples are not finite")
    progress(0.5)
    inverse, _ = lapack.strtri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    weights = inverse.T @ (inverse @ targets[learnt])
    progress(0.8)
    scores = np.empty_like(targets)
    scores[learnt] = targets[learnt] - weights / np.square(inverse).sum(axis=0)[:, None]
    rest = np.setdiff1d(np.arange(len(truth)), learnt)
    scores[rest] = _kernel(vectors[rest], examples) @ weights
    progress(EVALUATED)
    temperature, floor = _curve(scores, truth, len(known))
    progress(1.0)
    head = Head(known, examples, weights, temperature, floor)
    return head, _probabilities(scores, len(known), temperature, floor)


def _fair_share(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """The examples to learn from, all up to MOST_EXAMPLES: every label gives up the same share."""
    order = np.random.default_rng(_SEED).permutation(len(truth))
    by_label = order[np.argsort(truth[order], kind="stable")]
    step = max(len(truth) / MOST_EXAMPLES, 1.0)
    return np.sort(by_label[np.arange(0, len(truth), step).astype(np.int64)])


def _kernel(vectors: Vectors, examples: Vectors) -> Vectors:
    """Likeness of unit vectors, 0 to 1: (n, m)."""
    kernel: Vectors = vectors @ examples.T
    kernel -= 1
    kernel *= _SHARPNESS
    return np.exp(kernel, out=kernel)


def _probabilities(scores: Vectors, intents: int, temperature: float, floor: float) -> Probabilities:
    """Probabilities of the first `intents` labels beside that of none of them, which scores at least `floor`."""
    none = np.full(len(scores), floor, np.float32)
    if scores.shape[1] > intents:
        none = np.maximum(none, scores[:, intents])
    logits = np.column_stack((scores[:, :intents], none)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = (powers / powers.sum(axis=1, keepdims=True))[:, :intents].astype(np.float32)
    return result


def _curve(scores: Vectors, truth: NDArray[np.int64], intents: int) -> tuple[float, float]:
    """The temperature under which the truth is most probable, and the floor that loses few messages read rightly."""
    inside = truth < intents
    right = inside & (scores[:, :intents].argmax(axis=1) == truth)
    known = scores[right].max(axis=1) if right.any() else np.zeros(1, np.float32)
    highest = _BLIND_FLOOR if inside.all() else _HIGHEST_FLOOR
    floor = min(float(np.quantile(known, _LOST)) * _FARTHER, highest)
    losses = {
        float(temperature): _loss(_probabilities(scores, intents, temperature, floor), truth, inside)
        for temperature in _TEMPERATURES
    }
    return min(losses, key=losses.__getitem__), floor


def _loss(probabilities: Probabilities, truth: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Mean of -log p of the truth."""
    rows = np.flatnonzero(inside)
    of_truth = 1 - probabilities.sum(axis=1)
    of_truth[rows] = probabilities[rows, truth[rows]]
    return float(-np.log(np.maximum(of_truth, 1e-6)).mean())
