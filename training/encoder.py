"""The shared encoder: hashed features, pooled, then one residual layer, to a vector of the text's meaning.

A row of the table says how much a feature counts as well as what it means. Features that training met too seldom have
no row at all: that keeps the table small, and the noise out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import SPACE, encode
from training.teacher import SIZE as MEANING

SIZE, HIDDEN = 256, 768
"""Values of a row of the table, and of the inner layer."""
ROWS = 76_000
"""Features that have a row, those that most texts hold: what 25 MB of models leave room for."""

Ids = NDArray[np.int64]


class Bags:
    """Features of many texts, ready to be drawn from."""

    def __init__(self, texts: Sequence[str]) -> None:
        flat, sizes = [], []
        for start in range(0, len(texts), _CHUNK):
            ids = encode(texts[start : start + _CHUNK])
            present = ids > 0
            flat.append(ids[present])
            sizes.append(present.sum(1))
        self._flat = np.concatenate(flat).astype(np.int64)
        self._sizes = np.concatenate(sizes)
        self._starts = np.concatenate(([0], np.cumsum(self._sizes)[:-1]))

    def __len__(self) -> int:
        return len(self._sizes)

    def draw(self, texts: Ids, keep: float = 1.0, random: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Ids and offsets, as `Encoder` wants them, of the texts at these places; a feature is kept with chance `keep`."""
        sizes = self._sizes[texts]
        starts = np.repeat(self._starts[texts] - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes)
        ids = self._flat[starts + np.arange(sizes.sum())]
        if random is not None:
            kept = random.random(len(ids), np.float32) < keep
            owner = np.repeat(np.arange(len(texts)), sizes)[kept]
            ids, sizes = ids[kept], np.bincount(owner, minlength=len(texts))
        return torch.from_numpy(ids), torch.from_numpy(np.concatenate(([0], np.cumsum(sizes)[:-1])))

    def frequencies(self) -> NDArray[np.int64]:
        """How many texts hold each feature: (SPACE + 1,)."""
        owner = np.repeat(np.arange(len(self)), self._sizes)
        held = np.unique(owner * (SPACE + 1) + self._flat) % (SPACE + 1)
        return np.bincount(held, minlength=SPACE + 1)


_CHUNK = 2048


class Vectors(NamedTuple):
    """What the encoder makes of texts: the pooled rows (n, SIZE), and the unit vectors of their meaning (n, MEANING)."""

    pooled: Tensor
    meaning: Tensor


class Encoder(nn.Module):
    """Ids of features → `Vectors`. `rows` (SPACE + 1) is the row of each feature; 0, which stays nought, for none."""

    def __init__(self, frequencies: NDArray[np.int64], texts: int) -> None:
        """`frequencies` are how many of so many `texts` hold each feature."""
        super().__init__()
        kept = np.sort(np.argsort(-frequencies, kind="stable")[:ROWS])
        kept = kept[frequencies[kept] > 0]
        self.rows = np.zeros(SPACE + 1, np.int32)
        self.rows[kept] = np.arange(1, len(kept) + 1)
        rarity = np.log((1 + texts) / (1 + frequencies[kept])) / np.log(1 + texts)
        scale = torch.from_numpy(np.concatenate(([0.0], rarity)).astype(np.float32))[:, None]
        self.table = nn.Parameter(torch.randn(len(kept) + 1, SIZE) * scale / SIZE**0.5)
        self.inner = nn.Linear(SIZE, HIDDEN)
        self.outer = nn.Linear(HIDDEN, MEANING)
        self.direct = nn.Linear(SIZE, MEANING, bias=False)

    def forward(self, ids: Tensor, offsets: Tensor, dropout: float = 0.0) -> Vectors:
        """Vectors of the bags that begin at `offsets` of the flat `ids`; `dropout` is that of values, in training."""
        rows = torch.from_numpy(self.rows[ids.numpy()].astype(np.int64))
        table = functional.embedding_bag(rows, self.table, offsets, mode="sum", sparse=True, padding_idx=0)
        pooled = functional.dropout(functional.normalize(table, eps=1e-6) * SIZE**0.5, dropout, self.training)
        inner = functional.dropout(functional.relu(self.inner(pooled)), dropout, self.training)
        return Vectors(pooled, functional.normalize(self.direct(pooled) + self.outer(inner), eps=1e-6))

    def read(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts."""
        self.eval()
        bags = Bags(texts)
        with torch.no_grad():
            parts = [
                self(*bags.draw(places)) for places in np.array_split(np.arange(len(bags)), len(bags) // _CHUNK + 1)
            ]
        return Vectors(*(torch.cat(part) for part in zip(*parts, strict=True)))
