"""Texts as vectors of the shared encoder: what a head is trained on, and what it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from servers.kit.inference.encoder import MODEL
from servers.kit.inference.interfaces import Inference
from servers.kit.text.features import encode
from servers.nlu.intents.head import Vectors
from servers.nlu.sight import seen

OUTPUT = "vector"
"""The output of the encoder that the heads read."""

BATCH = 16
"""Texts that are encoded together: customers' messages wait for no more than these."""


class Encoder:
    """The shared encoder behind the model server; `version` tells its vectors from those of another."""

    def __init__(self, inference: Inference, version: str) -> None:
        self._inference = inference
        self.version = version

    async def encode(self, texts: Sequence[str], progress: Callable[[float], Awaitable[None]] | None = None) -> Vectors:
        """Reads at least one text as customers' messages are read; tells the share that is done.

        Batch after batch, so that messages of customers come between. Raises UpstreamError or Timeout.
        """
        vectors = []
        for start in range(0, len(texts), BATCH):
            batch = [seen(text) for text in texts[start : start + BATCH]]
            answer = await self._inference.infer(MODEL, {"ids": encode(batch)}, [OUTPUT])
            vectors.append(answer[OUTPUT])
            if progress is not None:
                await progress(min(start + BATCH, len(texts)) / len(texts))
            await asyncio.sleep(0)
        return np.concatenate(vectors).astype(np.float32, copy=False)
