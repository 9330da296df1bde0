"""The port every backend implements, what it is given, and what it answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

Language: TypeAlias = envelope_pb2.Language.ValueType

LanguageOf: TypeAlias = Callable[[str], Awaitable[Language]]
"""Tells the language of a text; may raise SalamError."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage the reply must stand on; `score` is its relevance, 0 to 1; `language` may be unspecified."""

    text: str
    score: float
    language: Language


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier turn of the conversation."""

    user_text: str
    reply_text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A customer's message that is to be answered from passages: always in `language`, whatever the passages are in.

    `templates` are the tenant's own texts by intent and language word, in the place of the built-in ones.
    """

    text: str
    language: Language
    intent: str = ""
    passages: Sequence[Passage] = ()
    history: Sequence[Exchange] = ()
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a model is to go on with. `prompt` is what the messages were made from, None where the caller wrote them."""

    data: chat_pb2.ChatInput
    prompt: Prompt | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a backend serves.

    `name` is what callers ask for, `served_as` what the server calls it. `auto` tells whether the router may choose it by
    itself, `embeds` whether it makes vectors and not replies. A `text_only` model takes no tools, pictures or response
    formats. `window` is in tokens, prompt and reply together; None when it is not known. It is good for `languages`, for
    all without any. Prices are in US dollars a million tokens, which is millionths of a dollar a token.
    """

    name: str
    served_as: str = ""
    auto: bool = True
    embeds: bool = False
    text_only: bool = False
    window: int | None = None
    languages: frozenset[Language] = frozenset()
    prompt_price: float = 0.0
    completion_price: float = 0.0

    @property
    def id(self) -> str:
        """What the server calls it."""
        return self.served_as or self.name

    def cost(self, usage: chat_pb2.TokenUsage) -> int:
        """What `usage` costs, in millionths of a US dollar, rounded up."""
        exact = usage.prompt_tokens * self.prompt_price + usage.completion_tokens * self.completion_price
        return -int(-exact // 1)


@dataclass(frozen=True, slots=True)
class Traits:
    """What the router needs to know of a backend.

    A backend that has not begun after `first_token_s` seconds, or is silent for `silence_s`, is given up. A `hedged` one
    gets company from the next in the chain when it is slower to begin than nearly always. `external` ones are beyond the
    operator's own machines. The `last_resort` answers when all others fail, and only then.
    """

    name: str
    first_token_s: float = 10.0
    silence_s: float = 10.0
    hedged: bool = False
    external: bool = False
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a reply: why, and what it took.

    `model` and `backend` are who wrote it, filled in by the router. `used` are the indices of the prompt's passages it
    stands on, all that it was given when None. `confidence`, 0 to 1, and `logprob`, the mean of its tokens, are there
    where the backend knows them.
    """

    reason: chat_pb2.FinishReason.ValueType
    usage: chat_pb2.TokenUsage
    used: tuple[int, ...] | None = None
    confidence: float | None = None
    logprob: float | None = None
    model: str = ""
    backend: str = ""


Piece: TypeAlias = chat_pb2.ChatDelta | Finished
"""A reply is any number of deltas, then one Finished."""

Vectors: TypeAlias = NDArray[np.float32]


class Backend(Protocol):
    """Something that goes on with conversations."""

    @property
    def traits(self) -> Traits:
        """Its name in settings, lists and logs, and how it is to be treated."""
        ...

    async def models(self) -> Sequence[Model]:
        """The models it serves now; raises UpstreamError or Timeout while it is out of reach."""
        ...

    def write(self, conversation: Conversation, model: Model) -> AsyncGenerator[Piece]:
        """Writes a reply with one of `models()`, piece by piece; closing the iterator stops the work behind it too.

        What is there already comes as one piece; nothing that is there is held back. Raises InvalidInput when the server
        refuses the conversation, UpstreamError when it fails, before the first piece or after it.
        """
        ...


class EmbeddingBackend(Protocol):
    """Something that makes vectors of texts."""

    @property
    def traits(self) -> Traits:
        """See Backend."""
        ...

    async def models(self) -> Sequence[Model]:
        """See Backend."""
        ...

    async def embed(
        self, texts: Sequence[str], model: Model, dimensions: int | None
    ) -> tuple[Vectors, chat_pb2.TokenUsage]:
        """Vectors of unit length, shape (len(texts), dimensions), and what they took.

        Raises InvalidInput for `dimensions` the model does not offer, UpstreamError when the server fails.
        """
        ...
