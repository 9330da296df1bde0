"""Replies without a model: the sentences of the best passage, or a text written for the intent. Labelled so."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence

from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import SalamError
from servers.llm import tokens
from servers.llm.backend import Conversation, Finished, LanguageOf, Model, Passage, Piece, Prompt, Traits
from servers.llm.templates import NO_ANSWER, OTHER_LANGUAGE, Templates

NAME = "extractive"

MOST_CHARACTERS = 600
"""A reply is a message on a phone, not a page."""

_SENTENCE_END = re.compile(r"(?<=[.!?؟۔؛])\s+")
_TEMPLATE_CONFIDENCE = 0.9  # a text written by people for this intent; what is left is the intent's own doubt

_UNKNOWN = envelope_pb2.LANGUAGE_UNSPECIFIED


class Extractive:
    """Backend that quotes. It cannot invent, and it needs nothing but the passages; without any it says that it has none."""

    def __init__(self, templates: Templates, language_of: LanguageOf) -> None:
        self._templates = templates
        self._language_of = language_of

    @property
    def traits(self) -> Traits:
        """See Backend."""
        return Traits(NAME, last_resort=True)

    async def models(self) -> Sequence[Model]:
        """See Backend."""
        return [Model(NAME, text_only=True)]

    async def write(self, conversation: Conversation, model: Model) -> AsyncGenerator[Piece]:
        """See Backend; a piece is a sentence."""
        prompt = conversation.prompt or await self._prompt(conversation.data)
        best = next((index for index, passage in enumerate(prompt.passages) if shorten(passage.text)), None)
        if best is not None:
            text = self._quote(prompt, prompt.passages[best])
            confidence = prompt.passages[best].score
        else:
            text = self._templates.find(prompt, prompt.intent) or self._templates.must(prompt, NO_ANSWER)
            confidence = _TEMPLATE_CONFIDENCE
        pieces = _SENTENCE_END.split(text)
        for index, piece in enumerate(pieces):
            yield chat_pb2.ChatDelta(text=piece if index == len(pieces) - 1 else f"{piece} ")
        usage = tokens.usage(conversation.data, text)
        yield Finished(chat_pb2.FINISH_REASON_STOP, usage, used=() if best is None else (best,), confidence=confidence)

    async def _prompt(self, data: chat_pb2.ChatInput) -> Prompt:
        """What a person last asked in a conversation that a caller wrote."""
        said = (message for message in reversed(data.messages) if message.role == chat_pb2.CHAT_ROLE_USER)
        text = " ".join(part.text for part in next(said, chat_pb2.ChatMessage()).content)
        try:
            return Prompt(text, await self._language_of(text) if text.strip() else _UNKNOWN)
        except SalamError:  # it answers whatever else is down
            return Prompt(text, _UNKNOWN)

    def _quote(self, prompt: Prompt, passage: Passage) -> str:
        text = shorten(passage.text)
        if passage.language in (prompt.language, 0):
            return text
        return f"{self._templates.must(prompt, OTHER_LANGUAGE)}\n{text}"


def shorten(text: str) -> str:
    """The first sentences of `text`, as many as fit MOST_CHARACTERS, at least one; a heading line is left out.

    Empty for a text that says nothing.
    """
    lines = text.strip().splitlines()
    body = " ".join(line.strip() for line in (lines[1:] if text.lstrip().startswith("#") else lines))
    kept = ""
    for sentence in _SENTENCE_END.split(body.strip()):
        if kept and len(kept) + 1 + len(sentence) > MOST_CHARACTERS:
            break
        kept = f"{kept} {sentence}" if kept else sentence
    return kept
