"""The encoder of both models: a bag of hashed features, pooled, then one residual layer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import SPACE


class Bag(nn.Module):
    """Ids of features → the sum of their rows, brought to unit length: (n, size).

    A feature's row says how much it counts as well as what it means. Rows of features that training never saw stay
    zero, so they add no noise.
    """

    def __init__(self, size: int, seen: NDArray[np.float32]) -> None:
        """`seen` (SPACE + 1) scales the first values of each row: the feature's idf, 0 where it was never seen."""
        super().__init__()
        self.table = nn.Parameter(torch.randn(SPACE + 1, size) * torch.from_numpy(seen)[:, None] / size**0.5)
        self.size = size

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Vectors of the bags that begin at `offsets` of the flat `ids`, of length sqrt(size)."""
        pooled = functional.embedding_bag(ids, self.table, offsets, mode="sum")
        return functional.normalize(pooled, eps=1e-6) * self.size**0.5


class Encoder(nn.Module):
    """A bag and one residual layer: ids → vectors (n, size)."""

    def __init__(self, size: int, hidden: int, seen: NDArray[np.float32]) -> None:
        """See Bag."""
        super().__init__()
        self.bag = Bag(size, seen)
        self.inner = nn.Linear(size, hidden)
        self.outer = nn.Linear(hidden, size)

    def forward(self, ids: Tensor, offsets: Tensor, dropout: float = 0.0) -> Tensor:
        """Vectors of the bags; `dropout` is that of values, in training."""
        pooled = functional.dropout(self.bag(ids, offsets), dropout, self.training)
        inner = functional.dropout(functional.relu(self.inner(pooled)), dropout, self.training)
        return pooled + self.outer(inner)


def bags(ids: NDArray[np.int32], keep: float = 1.0, seed: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Padded ids as flat ids and offsets; each feature is kept with probability `keep`."""
    present = ids > 0
    if seed is not None and keep < 1.0:
        present &= seed.random(ids.shape, dtype=np.float32) < keep
    offsets = np.concatenate(([0], np.cumsum(present.sum(1))[:-1]))
    return torch.from_numpy(ids[present].astype(np.int64)), torch.from_numpy(offsets)


def inverse_document_frequency(ids: NDArray[np.int32], fewest: int = 2) -> NDArray[np.float32]:
    """Idf of each feature over the documents of `ids`, scaled to a mean of about 1; 0 under `fewest` documents."""
    frequency = np.zeros(SPACE + 1, np.int64)
    for row in ids:
        frequency[np.unique(row)] += 1
    frequency[0] = 0
    idf = np.log((1 + len(ids)) / (1 + frequency)) / np.log(1 + len(ids))
    return np.where(frequency >= fewest, idf, 0).astype(np.float32)
