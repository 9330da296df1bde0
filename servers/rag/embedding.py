"""Texts as vectors, by the shared encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servers.kit.inference.interfaces import Inference
from servers.kit.text import features
from servers.kit.vectors.interfaces import DIMENSIONS

MODEL = "encoder"
BATCH = 32

_PROBE = "bonjour, je voudrais voir ma facture · سلام، بغيت نشوف الفاتورة · where is my order?"


class Embedder:
    """Questions and passages in one space: near means alike, across languages and scripts."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._fingerprint: bytes | None = None

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (len(texts), DIMENSIONS). Raises UpstreamError or Timeout."""
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        for start in range(0, len(texts), BATCH):
            ids = features.encode(texts[start : start + BATCH])
            answer = await self._inference.infer(MODEL, {"ids": ids}, ["embedding"])
            vectors[start : start + BATCH] = answer["embedding"]
        return vectors

    async def fingerprint(self) -> bytes:
        """Tells one model from another: the signs of a fixed text's vector, 256 bits.

        The same model gives the same bits on every server and processor, but for a value that happens to be zero.
        """
        if self._fingerprint is None:
            [vector] = await self.embed([_PROBE])
            self._fingerprint = np.packbits(vector > 0).tobytes()
        return self._fingerprint
