"""Texts as vectors, by the shared encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from servers.kit.inference.encoder import embed
from servers.kit.inference.interfaces import Inference
from servers.rag.lexical.terms import digest

_PROBE = "bonjour, je voudrais voir ma facture · سلام، بغيت نشوف الفاتورة · where is my order?"


class Embedder:
    """Questions and passages in one space: near means alike, across languages and scripts."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._fingerprint: bytes | None = None

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (len(texts), DIMENSIONS). Raises UpstreamError or Timeout."""
        return await embed(self._inference, texts)

    async def fingerprint(self) -> bytes:
        """Tells apart what passages were indexed by, 256 bits: the signs of a fixed text's vector, and the table of terms.

        The same model and table give the same bits on every server and processor, but for a value that happens to be zero;
        of others, half of the bits differ.
        """
        if self._fingerprint is None:
            [vector] = await self.embed([_PROBE])
            signs = np.packbits(vector > 0)
            self._fingerprint = (signs ^ np.frombuffer(digest(), np.uint8)).tobytes()
        return self._fingerprint
