"""Vectors of texts, by the model that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, Violation
from servers.llm.backend import EmbeddingBackend, Model, Vectors
from servers.llm.catalogue import Offer, refresh


class Embeddings:
    """The backends that make vectors, the product's own first."""

    def __init__(self, backends: Sequence[EmbeddingBackend]) -> None:
        self._offers = [Offer(backend) for backend in backends]

    async def embed(
        self, texts: Sequence[str], name: str, dimensions: int | None
    ) -> tuple[Vectors, chat_pb2.TokenUsage]:
        """See EmbeddingBackend; with the cost. Raises InvalidInput for a model that nobody serves too."""
        backend, model = await self._find(name)
        vectors, usage = await backend.embed(texts, model, dimensions)
        usage.cost_micros = model.cost(usage)
        return vectors, usage

    async def models(self) -> list[tuple[str, str, bool]]:
        """Models known to make vectors: name, backend, and whether they can be asked now."""
        await refresh(self._offers)
        return [
            (model.name, offer.backend.traits.name, offer.problem is None)
            for offer in self._offers
            for model in offer.models
            if model.embeds
        ]

    async def _find(self, name: str) -> tuple[EmbeddingBackend, Model]:
        for offer in self._offers:
            await refresh([offer])
            for model in offer.models:
                if model.name == name:
                    return offer.backend, model
        for offer in self._offers:
            if offer.problem is not None and not offer.models:
                raise offer.problem
        raise InvalidInput(
            f"no model {name} makes vectors; list them at /v1/llm/models",
            violations=[Violation("data.model", "is not a model that makes vectors")],
        )
