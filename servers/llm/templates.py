"""The built-in texts of `replies.toml`, and the tenant's own in their place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from salambot.common.v1 import envelope_pb2

from servers.llm.backend import Language, Prompt

NO_ANSWER = "no_answer"
OTHER_LANGUAGE = "other_language"


class Templates:
    """Texts by intent and language."""

    def __init__(self, texts: Mapping[str, Mapping[str, str]]) -> None:
        self._texts = texts

    @classmethod
    def built_in(cls) -> Templates:
        """The texts of `replies.toml`."""
        return cls(tomllib.loads(Path(__file__).with_name("replies.toml").read_text()))

    def find(self, prompt: Prompt, intent: str) -> str | None:
        """The text for an intent in the prompt's language, the tenant's first; None when there is none."""
        word = word_of(prompt.language)
        for texts in (prompt.templates, self._texts):
            text = texts.get(intent, {}).get(word)
            if text:
                return text
        return None

    def must(self, prompt: Prompt, intent: str) -> str:
        """As `find`, for the texts that are always there."""
        text = self.find(prompt, intent)
        return text if text is not None else self._texts[intent][word_of(prompt.language)]


def word_of(language: Language) -> str:
    """`darija_arabizi` for LANGUAGE_DARIJA_ARABIZI; French, the language of most replies, when it is not known."""
    known = language or envelope_pb2.LANGUAGE_FR
    return envelope_pb2.Language.Name(known).removeprefix("LANGUAGE_").lower()
