"""Labelled messages from JSONL files, and what their labels say that they are for."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from servers.kit.errors import InvalidInput

OUT_OF_SCOPE = "out_of_scope"
"""The intent of messages that are none of the business's."""
UNKNOWN = "unknown"
"""The language of messages in none of the five."""
LANGUAGES = ("fr", "ar", "en", "darija_arabizi", "darija_arabic")
SENTIMENTS = ("positive", "neutral", "negative")
URGENCIES = ("low", "medium", "high")

_OUT_OF_SCOPE = ("oos", "out_of_scope", "out-of-scope")


class Task(StrEnum):
    """What is read in a message."""

    LANGUAGE = "language"
    INTENT = "intent"
    SENTIMENT = "sentiment"
    URGENCY = "urgency"


@dataclass(frozen=True, slots=True)
class Sample:
    """A message, what it should be read as, the language that the file gives it (may be empty), and its place."""

    text: str
    label: str
    language: str
    place: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What everybody has to answer. `examples` are what the intents are learnt from, empty for the built-in ones."""

    task: Task
    samples: Sequence[Sample]
    examples: Sequence[Sample] = ()


def read_samples(files: Sequence[Path]) -> list[Sample]:
    """The samples of the files in their order; raises InvalidInput with the line that is not well formed, OSError."""
    samples = [_sample(line, place) for file in files for line, place in _lines(file)]
    if not samples:
        raise InvalidInput(f"there is no message in {', '.join(map(str, files))}")
    return samples


def _lines(file: Path) -> Iterator[tuple[bytes, str]]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield line, f"{file}:{number}"


def _sample(line: bytes, place: str) -> Sample:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{place}: not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{place}: not a JSON object with text, label and lang")
    return Sample(
        _field(fields, "text", place),
        _field(fields, "label", place),
        _field(fields, "lang", place, optional=True),
        place,
    )


def _field(fields: dict[str, Any], name: str, place: str, *, optional: bool = False) -> str:
    value = fields.get(name, "" if optional else None)
    if not isinstance(value, str) or not (value.strip() or optional):
        raise InvalidInput(f"{place}: `{name}` must be a text that is not empty")
    return value


def task_of(samples: Sequence[Sample]) -> Task:
    """What the labels are labels of."""
    labels = {sample.label for sample in samples}
    if labels.intersection(LANGUAGES):
        return Task.LANGUAGE
    if labels.issubset(SENTIMENTS):
        return Task.SENTIMENT
    return Task.URGENCY if labels.issubset(URGENCIES) else Task.INTENT


def labelled_for(task: Task, samples: Sequence[Sample], intents: Sequence[str]) -> list[Sample]:
    """The samples under the names we use; `intents` are those that can be answered.

    A language that is none of the five is `unknown`, `oos` is `out_of_scope`. Raises InvalidInput at a label that
    nobody could give.
    """
    known = {
        Task.LANGUAGE: LANGUAGES,
        Task.INTENT: (*intents, OUT_OF_SCOPE),
        Task.SENTIMENT: SENTIMENTS,
        Task.URGENCY: URGENCIES,
    }[task]
    named = [_named(task, sample) for sample in samples]
    for sample in named:
        if sample.label not in known and (task, sample.label) != (Task.LANGUAGE, UNKNOWN):
            hint = "; give examples of it with --train" if task is Task.INTENT else f": there are {', '.join(known)}"
            raise InvalidInput(f"{sample.place}: `{sample.label}` is no {task} that can be answered{hint}")
    return named


def _named(task: Task, sample: Sample) -> Sample:
    if task is Task.LANGUAGE and sample.label not in LANGUAGES:
        return Sample(sample.text, UNKNOWN, sample.language or sample.label, sample.place)
    if task is Task.LANGUAGE and not sample.language:
        return Sample(sample.text, sample.label, sample.label, sample.place)
    if task is Task.INTENT and sample.label in _OUT_OF_SCOPE:
        return Sample(sample.text, OUT_OF_SCOPE, sample.language, sample.place)
    return sample
