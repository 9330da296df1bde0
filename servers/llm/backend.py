"""The port every backend implements, and what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from salambot.common.v1 import envelope_pb2

Language: TypeAlias = envelope_pb2.Language.ValueType


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
    """What a reply is asked for: always in `language`, whatever the passages are in.

    `templates` are the tenant's own texts by intent and language word, in the place of the built-in ones.
    """

    text: str
    language: Language
    intent: str = ""
    passages: Sequence[Passage] = ()
    history: Sequence[Exchange] = ()
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a reply: what it took. `used` are the indices of the passages it stands on."""

    model: str
    tokens: int
    confidence: float
    used: tuple[int, ...] = ()


Piece: TypeAlias = str | Finished
"""A reply is any number of texts, then one Finished."""


class Backend(Protocol):
    """Something that writes replies."""

    @property
    def name(self) -> str:
        """Its name in settings, lists and logs."""
        ...

    async def models(self) -> list[str]:
        """Names of the models it serves; raises UpstreamError while it is out of reach."""
        ...

    def write(self, prompt: Prompt, model: str | None) -> AsyncIterator[Piece]:
        """Writes a reply piece by piece; closing the iterator stops the work behind it too.

        `model` is one of `models()`, or None for the backend's own choice. Raises UpstreamError or Timeout, before the
        first piece or after it.
        """
        ...
