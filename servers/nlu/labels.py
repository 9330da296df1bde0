"""Labels of the model: what each of its outputs means, kept in `labels.json` beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from salambot.common.v1 import envelope_pb2

from servers.kit.text.features import FEATURES_VERSION

_BY_LOCALE = {
    "ar": envelope_pb2.LANGUAGE_AR,
    "ary": envelope_pb2.LANGUAGE_DARIJA_ARABIC,
    "en": envelope_pb2.LANGUAGE_EN,
    "fr": envelope_pb2.LANGUAGE_FR,
}


@dataclass(frozen=True, slots=True)
class Labels:
    """Words of the contract, in the order of the model's outputs, and the version of the model."""

    version: str
    intents: tuple[str, ...]
    sentiments: tuple[str, ...]
    urgencies: tuple[str, ...]


def read_labels(file: Path) -> Labels:
    """Reads the labels; raises OSError, or ValueError when the file does not fit this version of the features."""
    content = json.loads(file.read_text("utf-8"))
    if content.get("features_version") != FEATURES_VERSION:
        raise ValueError(f"{file} was trained on other features than these; train again with `make train`")
    return Labels(
        version=content["version"],
        intents=tuple(content["intent"]),
        sentiments=tuple(content["sentiment"]),
        urgencies=tuple(content["urgency"]),
    )


@cache
def language_of(word: str) -> envelope_pb2.Language.ValueType:
    """`darija_arabizi` → LANGUAGE_DARIJA_ARABIZI."""
    return envelope_pb2.Language.Value(f"LANGUAGE_{word.upper()}")


def language_of_locale(locale: str) -> envelope_pb2.Language.ValueType:
    """`ar-MA` → LANGUAGE_AR; French for locales of none of the five."""
    return _BY_LOCALE.get(locale.partition("-")[0].lower(), envelope_pb2.LANGUAGE_FR)


@cache
def sentiment_of(word: str) -> envelope_pb2.Sentiment.ValueType:
    """`negative` → SENTIMENT_NEGATIVE."""
    return envelope_pb2.Sentiment.Value(f"SENTIMENT_{word.upper()}")


@cache
def urgency_of(word: str) -> envelope_pb2.Urgency.ValueType:
    """`high` → URGENCY_HIGH."""
    return envelope_pb2.Urgency.Value(f"URGENCY_{word.upper()}")


@cache
def word_of(language: envelope_pb2.Language.ValueType) -> str:
    """LANGUAGE_DARIJA_ARABIZI → `darija_arabizi`; empty when not known."""
    return "" if not language else envelope_pb2.Language.Name(language).removeprefix("LANGUAGE_").lower()
