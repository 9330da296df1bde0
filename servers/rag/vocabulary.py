"""Enum values as words (`fr`, `darija_arabizi`, `public`): what rows and payloads hold and what filters ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from salambot.common.v1 import envelope_pb2
from salambot.rag.v1 import rag_pb2

Language: TypeAlias = envelope_pb2.Language.ValueType
Audience: TypeAlias = rag_pb2.Audience.ValueType

LANGUAGES: Mapping[str, Language] = {
    name.removeprefix("LANGUAGE_").lower(): value for name, value in envelope_pb2.Language.items() if value
}
AUDIENCES: Mapping[str, Audience] = {
    name.removeprefix("AUDIENCE_").lower(): value for name, value in rag_pb2.Audience.items() if value
}

PUBLIC, INTERNAL = "public", "internal"


def word_of_language(language: Language) -> str:
    """`fr` for LANGUAGE_FR; `unspecified` for none."""
    return envelope_pb2.Language.Name(language).removeprefix("LANGUAGE_").lower()


def word_of_audience(audience: Audience) -> str:
    """`internal` for AUDIENCE_INTERNAL, else `public`."""
    return INTERNAL if audience == rag_pb2.AUDIENCE_INTERNAL else PUBLIC
