"""Replies without a model: the sentences of the best passage, or a text written for the intent. Labelled so."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from servers.llm import tokens
from servers.llm.backend import Finished, Passage, Piece, Prompt
from servers.llm.templates import NO_ANSWER, OTHER_LANGUAGE, Templates

NAME = "extractive"

MOST_CHARACTERS = 600
"""A reply is a message on a phone, not a page."""

_SENTENCE_END = re.compile(r"(?<=[.!?؟۔؛])\s+")
_TEMPLATE_CONFIDENCE = 0.9  # a text written by people for this intent; what is left is the intent's own doubt


class Extractive:
    """Backend that quotes. It cannot invent, and it needs nothing but the passages."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    @property
    def name(self) -> str:
        """See Backend."""
        return NAME

    async def models(self) -> list[str]:
        """See Backend."""
        return [NAME]

    async def write(self, prompt: Prompt, model: str | None) -> AsyncIterator[Piece]:
        """See Backend; a piece is a sentence."""
        best = next((index for index, passage in enumerate(prompt.passages) if shorten(passage.text)), None)
        if best is not None:
            passage = prompt.passages[best]
            text = self._quote(prompt, passage)
            finished = Finished(NAME, tokens.count(text), passage.score, used=(best,))
        else:
            text = self._templates.find(prompt, prompt.intent) or self._templates.must(prompt, NO_ANSWER)
            finished = Finished(NAME, tokens.count(text), _TEMPLATE_CONFIDENCE)
        pieces = _SENTENCE_END.split(text)
        for index, piece in enumerate(pieces):
            yield piece if index == len(pieces) - 1 else f"{piece} "
        yield finished

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
