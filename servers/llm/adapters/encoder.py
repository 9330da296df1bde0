"""The product's own encoder as a model that makes vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, Violation
from servers.kit.inference.encoder import embed
from servers.kit.inference.interfaces import Inference
from servers.kit.vectors.interfaces import DIMENSIONS
from servers.llm import tokens
from servers.llm.backend import Model, Traits, Vectors

NAME = "salambot-encoder"


class Encoder:
    """EmbeddingBackend over the model repository. `inference` is asked for when it is first needed."""

    def __init__(self, inference: Callable[[], Inference]) -> None:
        self._inference = inference

    @property
    def traits(self) -> Traits:
        """See EmbeddingBackend."""
        return Traits("encoder")

    async def models(self) -> Sequence[Model]:
        """See EmbeddingBackend."""
        return [Model(NAME, auto=False, embeds=True)]

    async def embed(
        self, texts: Sequence[str], model: Model, dimensions: int | None
    ) -> tuple[Vectors, chat_pb2.TokenUsage]:
        """See EmbeddingBackend."""
        if dimensions not in (None, DIMENSIONS):
            rule = f"must be {DIMENSIONS} for {NAME}"
            raise InvalidInput(f"dimensions {rule}", violations=[Violation("data.dimensions", rule)])
        vectors = await embed(self._inference(), texts)
        return vectors, chat_pb2.TokenUsage(prompt_tokens=sum(map(tokens.count, texts)))
