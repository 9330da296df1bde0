"""Texts as vectors, by the product's own encoder: near means alike, across languages and scripts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servers.kit.inference.interfaces import Inference
from servers.kit.text import features
from servers.kit.vectors.interfaces import DIMENSIONS

MODEL = "encoder"
_BATCH = 32


async def embed(inference: Inference, texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of unit length, shape (len(texts), DIMENSIONS). Raises UpstreamError or Timeout."""
    vectors = np.empty((len(texts), DIMENSIONS), np.float32)
    for start in range(0, len(texts), _BATCH):
        ids = features.encode(texts[start : start + _BATCH])
        answer = await inference.infer(MODEL, {"ids": ids}, ["embedding"])
        vectors[start : start + _BATCH] = answer["embedding"]
    return vectors
