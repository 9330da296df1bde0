"""Versions of a tenant's intents: what a row of the store says, and how the contract shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import asyncpg
from google.protobuf.json_format import MessageToDict, ParseDict
from salambot.nlu.v1 import intents_pb2

from servers.kit.errors import InvalidInput

QUEUED = intents_pb2.INTENT_VERSION_STATE_QUEUED
TRAINING = intents_pb2.INTENT_VERSION_STATE_TRAINING
TRAINED = intents_pb2.INTENT_VERSION_STATE_TRAINED
FAILED = intents_pb2.INTENT_VERSION_STATE_FAILED

NOTHING = 0
"""No version: numbers begin at 1."""


class Publish(StrEnum):
    """Whether a version is put in force once it is trained."""

    NEVER = "never"
    UNLESS_WORSE = "unless_worse"
    """Unless its accuracy is under that of the version in force."""
    ALWAYS = "always"


class InForce(NamedTuple):
    """The version in force, and the encoder it was trained for."""

    number: int
    encoder: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a training made of how many examples and intents, with the vectors of which encoder."""

    head: bytes
    report: intents_pb2.IntentReport
    encoder: str
    examples: int
    intents: int


@dataclass(frozen=True, slots=True)
class Version:
    """The version as the contract shows it, and how far its training is."""

    number: int
    shown: intents_pb2.IntentVersion
    stage: intents_pb2.TrainingStage.ValueType
    progress: float
    encoder: str

    @property
    def unfinished(self) -> bool:
        """Whether its training goes on, or waits."""
        return self.shown.state in (QUEUED, TRAINING)

    @property
    def step(self) -> intents_pb2.TrainingProgress:
        """Where its training is."""
        return intents_pb2.TrainingProgress(stage=self.stage, progress=self.progress, version=self.shown)

    def check_usable(self, encoder: str) -> None:
        """Raises InvalidInput where it cannot read messages by the vectors of `encoder`."""
        if self.shown.state != TRAINED:
            raise InvalidInput(f"{self.shown.version} is not trained")
        if self.encoder != encoder:
            raise InvalidInput(f"{self.shown.version} was trained for other models than are served now; train again")


def name_of(number: int) -> str:
    """`v7` for 7."""
    return f"v{number}"


def number_of(name: str) -> int:
    """7 for `v7`; NOTHING for an empty name. Raises ValueError."""
    return int(name.removeprefix("v")) if name else NOTHING


def version_of(row: asyncpg.Record) -> Version:
    """The version in a row."""
    shown = intents_pb2.IntentVersion(
        version=name_of(row["number"]),
        state=row["state"],
        published=row["published"],
        examples=row["examples"],
        intents=row["intents"],
        report=None if row["report"] is None else ParseDict(row["report"], intents_pb2.IntentReport()),
        problem=row["problem"],
        created_at=row["created_at"],
        trained_at=row["trained_at"],
        published_at=row["published_at"],
    )
    return Version(row["number"], shown, row["stage"], row["progress"], row["encoder"])


def json_of(report: intents_pb2.IntentReport) -> dict[str, Any]:
    """The report as a row keeps it."""
    return MessageToDict(report, preserving_proto_field_name=True)
