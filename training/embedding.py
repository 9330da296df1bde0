"""The embedding that retrieval searches by: what a text means, and which words it is written in.

The semantic part is a projection of the encoder's vectors, learnt so that sentences of one intent, translations, and
phrases of one concept attract each other across languages, and all others in the batch repel. The lexical part is a
signed hashing of the features weighted by idf: exact words, product names, numbers. `LEXICAL_WEIGHT` is its share,
chosen on the held-out retrieval of `training.evaluate`. Each part has unit length before it is weighted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import encode
from training.corpus import Example, read_lexicon, read_parallel
from training.encoder import MEANING, SIZE, Bags, Encoder
from training.pairs import Pairs, agreement
from training.tasks import inputs_of
from training.variants import Variants

SEMANTIC, LEXICAL = 128, 128  # dimensions of the two parts
LEXICAL_WEIGHT = 0.15
HIDDEN = 512
EPOCHS, BATCH, RATE = 12, 256, 1e-3
DROPOUT = 0.2
KEPT_FEATURES = 0.8
TEMPERATURE = 0.1

Matrix = NDArray[np.float32]


class Projection(nn.Module):
    """From what the heads read to the semantic part: a linear map and a correction by one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = nn.Linear(SIZE + MEANING, SEMANTIC)
        self.inner = nn.Linear(SIZE + MEANING, HIDDEN)
        self.outer = nn.Linear(HIDDEN, SEMANTIC, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors, (n, SEMANTIC), of any length."""
        hidden = functional.dropout(functional.relu(self.inner(inputs)), DROPOUT, self.training)
        projected: Tensor = self.direct(inputs) + self.outer(hidden)
        return projected


@dataclass(frozen=True, slots=True)
class Embedding:
    """The encoder, its projection to the semantic part, and the weight of each feature in the lexical part."""

    encoder: Encoder
    projection: Projection
    weights: Matrix

    def embed(self, texts: Sequence[str], lexical_weight: float = LEXICAL_WEIGHT) -> Matrix:
        """Unit vectors, (len(texts), SEMANTIC + LEXICAL)."""
        with torch.no_grad():
            semantic = functional.normalize(self.projection(inputs_of(self.encoder.read(texts)))).numpy()
        parts = semantic * (1 - lexical_weight) ** 0.5, self.lexical(encode(texts)) * lexical_weight**0.5
        return _unit(np.concatenate(parts, axis=1))

    def lexical(self, ids: NDArray[np.int32]) -> Matrix:
        """The lexical part: each feature adds its weight, with its sign, to its dimension."""
        vectors = np.zeros((len(ids), LEXICAL), np.float32)
        signed = self.weights[ids] * (1 - 2 * (ids // LEXICAL % 2))
        for vector, row, values in zip(vectors, ids, signed, strict=True):
            np.add.at(vector, row % LEXICAL, values)
        return _unit(vectors)


def train(encoder: Encoder, examples: Sequence[Example], epochs: int = EPOCHS, seed: int = 1) -> Embedding:
    """An embedding trained on the examples, the lexicon and the parallel sentences."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants, pairs, translations = Variants(seed, read_lexicon()), Pairs(seed), _Translations(seed)
    intents = sorted({example.intent for example in examples})
    labels = np.array([intents.index(example.intent) for example in examples] * 2)
    projection = Projection()
    optimiser = torch.optim.Adam(projection.parameters(), lr=RATE)
    encoder.eval()

    def project(bags: Bags, places: NDArray[np.int64]) -> Tensor:
        with torch.no_grad():
            inputs = inputs_of(encoder(*bags.draw(places, KEPT_FEATURES, random)))
        return functional.normalize(projection(inputs))

    for epoch in range(epochs):
        written = [example.text for example in examples]
        bags = Bags([*written, *(variants.vary(example.text, example.language)[0] for example in examples)])
        batches = np.array_split(random.permutation(len(bags)), len(bags) // BATCH + 1)
        for step, batch in enumerate(batches):
            optimiser.param_groups[0]["lr"] = RATE * (1 - (epoch + step / len(batches)) / epochs)
            loss = _attraction(project(bags, batch), torch.from_numpy(labels[batch]))
            for left, right in (pairs.draw(BATCH, variants), translations.draw(BATCH)):
                both = project(Bags([*left, *right]), np.arange(2 * len(left)))
                loss = loss + agreement(*both.split(len(left)))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return Embedding(encoder, projection.eval(), lexical_weights([example.text for example in examples]))


class _Translations:
    """Parallel sentences, two languages of each at a time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._sentences = [list(texts.values()) for texts in read_parallel()]

    def draw(self, count: int) -> tuple[list[str], list[str]]:
        """Two lists of sentences that mean the same row by row."""
        drawn = [self._random.sample(texts, 2) for texts in self._random.sample(self._sentences, count)]
        left, right = zip(*drawn, strict=True)
        return list(left), list(right)


def _attraction(vectors: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al., 2020): each vector against the others of its label."""
    same = (labels[:, None] == labels[None, :]).float()
    itself = torch.eye(len(labels), dtype=torch.bool)
    logits = (vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -1e9)
    positives = same.masked_fill(itself, 0)
    losses = -(positives * functional.log_softmax(logits, 1)).sum(1) / positives.sum(1).clamp(min=1)
    return losses.mean()


def lexical_weights(texts: Sequence[str]) -> Matrix:
    """Idf of each feature over the texts; a feature never seen weighs as much as the rarest seen."""
    frequencies = Bags(texts).frequencies()
    weights = (np.log((1 + len(texts)) / (1 + frequencies)) / np.log(1 + len(texts))).astype(np.float32)
    weights[0] = 0
    return weights


def _unit(vectors: Matrix) -> Matrix:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
