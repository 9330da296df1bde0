"""Rows of examples and versions: all SQL of the tenants' own intents.

Whatever changes the intents of a tenant locks its row in `nlu_intents` first: limits hold, numbers are given once, and
publications follow one another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

import asyncpg
from salambot.nlu.v1 import intents_pb2

from servers.kit.errors import Conflict, NotFound
from servers.kit.postgres import Postgres
from servers.kit.postgres.pool import Connection
from servers.nlu.intents.limits import check_size, check_trainable
from servers.nlu.intents.version import (
    FAILED,
    NOTHING,
    TRAINED,
    TRAINING,
    InForce,
    Publish,
    Result,
    Version,
    json_of,
    name_of,
    version_of,
)

Example = intents_pb2.IntentExample
Place = tuple[str, str, str]
"""Where an example stands in the order of lists: intent, the first 30 code points of its text, id."""

FIRST: Place = ("", "", "")
_REMEMBERED = 50  # publications
_READING, _DONE = intents_pb2.TRAINING_STAGE_READING, intents_pb2.TRAINING_STAGE_DONE

_LOCK = """
INSERT INTO nlu_intents AS i (last_version) VALUES (0)
ON CONFLICT (tenant) DO UPDATE SET last_version = i.last_version RETURNING last_version, history
"""

_ADD = """
WITH added AS (
    INSERT INTO nlu_intent_examples (id, intent, text, language)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
    ON CONFLICT DO NOTHING RETURNING 1
) SELECT count(*) FROM added
"""

_EXAMPLES = """
SELECT id, intent, text, language FROM nlu_intent_examples
WHERE ($1 = '' OR intent = $1) AND (intent, beginning, id) > ($2, $3, $4)
ORDER BY intent, beginning, id LIMIT $5
"""

_VERSIONS = """
SELECT number, state, stage, progress, encoder, examples, intents, problem, created_at, trained_at, published_at,
    coalesce(number = (SELECT history[cardinality(history)] FROM nlu_intents), false) AS published, {report} AS report
FROM nlu_intent_versions
"""
_WHOLE = _VERSIONS.format(report="report")
_SUMMARY = _VERSIONS.format(report="report - '{by_intent,by_language,confusions}'::text[]")

# Once it is asked for, publishing is not taken back by who asks for less.
_FOLLOW = """
UPDATE nlu_intent_versions SET publish = CASE WHEN publish = 'always' OR $1 = 'never' THEN publish ELSE $1 END
WHERE state IN (1, 2) RETURNING number
"""

_ASK = """
INSERT INTO nlu_intent_versions (number, publish, encoder, examples, intents) VALUES ($1, $2, $3, $4, $5)
"""

_TRIED = """
SELECT EXISTS (
    SELECT 1 FROM nlu_intent_versions
    WHERE encoder = $1 AND (state <> $2 OR created_at > now() - interval '1 hour')
)
"""

_BEGIN = """
UPDATE nlu_intent_versions SET state = $2, stage = greatest(stage, $3), attempts = attempts + 1
WHERE number = $1 AND state IN (1, 2) RETURNING attempts
"""

_FINISH = """
UPDATE nlu_intent_versions SET state = $2, stage = $3, progress = 1, trained_at = now(), encoder = $4, examples = $5,
    intents = $6, head = $7, report = $8
WHERE number = $1 AND state IN (1, 2) RETURNING publish
"""

_FAIL = """
UPDATE nlu_intent_versions SET state = $2, stage = $3, progress = 1, trained_at = now(), problem = $4
WHERE number = $1 AND state IN (1, 2)
"""

_IN_FORCE = """
SELECT number, encoder FROM nlu_intent_versions
WHERE number = (SELECT history[cardinality(history)] FROM nlu_intents)
"""


def place_of(example: Example) -> Place:
    """The place of an example in the order of lists. By a whole text it would make a poor key, and a long token."""
    return example.intent, example.text[:30], example.id


class Store:
    """The intents of tenants; each method is one transaction of one tenant, and raises UpstreamError."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def add(self, tenant: str, examples: Sequence[Example]) -> tuple[int, int]:
        """Adds examples; how many were not there before, and how many there are now. Raises InvalidInput."""
        columns = zip(*((one.id, one.intent, one.text, int(one.language)) for one in examples), strict=True)
        async with self._locked(tenant) as (connection, _):
            added = await connection.fetchval(_ADD, *columns)
            row = await connection.fetchrow("SELECT count(*), count(DISTINCT intent) FROM nlu_intent_examples")
            assert row is not None
            check_size(*row)
        return added, row[0]

    async def examples(self, tenant: str, intent: str, after: Place, size: int) -> list[Example]:
        """Up to `size` examples behind `after`, of `intent` or of all where it is empty, by intent and text."""
        async with self._postgres.tenant(tenant) as connection:
            return await _examples(connection, intent, after, size)

    async def page(self, tenant: str, intent: str, after: Place, size: int) -> tuple[list[Example], int]:
        """As `examples`, and how many there are in all."""
        async with self._postgres.tenant(tenant) as connection:
            found = await _examples(connection, intent, after, size)
            total = await connection.fetchval(
                "SELECT count(*) FROM nlu_intent_examples WHERE $1 = '' OR intent = $1", intent
            )
        return found, total

    async def remove(self, tenant: str, ids: Sequence[str] = (), intent: str = "", *, everything: bool = False) -> int:
        """Removes the examples of these ids, of this intent, or all; how many there were."""
        async with self._locked(tenant) as (connection, _):
            done = await connection.execute(
                "DELETE FROM nlu_intent_examples WHERE $1 OR intent = $2 OR id = ANY($3)", everything, intent, list(ids)
            )
        return int(done.removeprefix("DELETE "))

    @asynccontextmanager
    async def asking(self, tenant: str, encoder: str, publish: Publish) -> AsyncIterator[tuple[Connection, int]]:
        """Asks for a training; the version that goes on already, or a new one. Commits at the end.

        Raises InvalidInput where there are too few examples for a new one.
        """
        async with self._locked(tenant) as (connection, row):
            number = await connection.fetchval(_FOLLOW, publish)
            if number is None:
                rows = await connection.fetch("SELECT intent, count(*) FROM nlu_intent_examples GROUP BY intent")
                counts = {row["intent"]: row["count"] for row in rows}
                check_trainable(counts)
                number = row["last_version"] + 1
                await connection.execute("UPDATE nlu_intents SET last_version = $1", number)
                await connection.execute(_ASK, number, publish, encoder, sum(counts.values()), len(counts))
            yield connection, number

    async def has_tried(self, tenant: str, encoder: str) -> bool:
        """Whether a training for this encoder was asked for that did not fail, or did so within the last hour."""
        async with self._postgres.tenant(tenant) as connection:
            return bool(await connection.fetchval(_TRIED, encoder, FAILED))

    async def begin(self, tenant: str, number: int) -> int | None:
        """Begins an attempt at a training and counts it; None where there is nothing left to do."""
        async with self._postgres.tenant(tenant) as connection:
            attempts: int | None = await connection.fetchval(_BEGIN, number, TRAINING, _READING)
        return attempts

    async def advance(
        self, tenant: str, number: int, stage: intents_pb2.TrainingStage.ValueType, progress: float
    ) -> None:
        """Notes how far a training is. A second attempt is silent until it is farther than the first was."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "UPDATE nlu_intent_versions SET stage = $2, progress = $3 WHERE number = $1 AND progress < $3 AND state = $4",
                number, stage, progress, TRAINING,
            )  # fmt: skip

    async def finish(self, tenant: str, number: int, result: Result) -> bool:
        """Keeps what a training made, and puts it in force where that was asked for; whether it did."""
        async with self._locked(tenant) as (connection, row):
            publish = await connection.fetchval(
                _FINISH, number, TRAINED, _DONE, result.encoder, result.examples, result.intents, result.head,
                json_of(result.report),
            )  # fmt: skip
            if publish == Publish.UNLESS_WORSE:
                before = await _find(connection, _in_force(row))
                worse = before is not None and result.report.accuracy < before.shown.report.accuracy
                publish = Publish.NEVER if worse else Publish.ALWAYS
            if publish != Publish.ALWAYS:
                return False
            await _put_in_force(connection, [*row["history"], number])
        return True

    async def fail(self, tenant: str, number: int, problem: str) -> None:
        """Gives a training up; `problem` tells people how to mend it."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(_FAIL, number, FAILED, _DONE, problem)

    async def version(self, tenant: str, number: int) -> Version:
        """One version, or the one in force where `number` is NOTHING; raises NotFound."""
        async with self._postgres.tenant(tenant) as connection:
            found = await _find(connection, number or (await connection.fetchval(_IN_FORCE) or NOTHING))
        return found if found is not None else _missing(number)

    async def versions(self, tenant: str, before: int, size: int) -> list[Version]:
        """Up to `size` versions with numbers under `before`, the latest first, without details of their reports."""
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch(f"{_SUMMARY} WHERE number < $1 ORDER BY number DESC LIMIT $2", before, size)
        return [version_of(row) for row in rows]

    async def in_force(self, tenant: str) -> InForce | None:
        """The version in force; None where none is."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow(_IN_FORCE)
        return None if row is None else InForce(*row)

    async def head(self, tenant: str, number: int) -> bytes:
        """The head of a trained version; raises NotFound."""
        async with self._postgres.tenant(tenant) as connection:
            head: bytes | None = await connection.fetchval(
                "SELECT head FROM nlu_intent_versions WHERE number = $1", number
            )
        return head if head is not None else _missing(number)

    async def publish(self, tenant: str, number: int, encoder: str) -> Version:
        """Puts a version in force; raises NotFound, or InvalidInput for one that `encoder` cannot use."""
        async with self._locked(tenant) as (connection, row):
            return await _publish(connection, [*row["history"], number], encoder)

    async def roll_back(self, tenant: str, encoder: str) -> Version | None:
        """Puts in force what was before; None where that is no version. Raises NotFound, or as `publish`."""
        async with self._locked(tenant) as (connection, row):
            history = list(row["history"])
            while history and history[-1] == _in_force(row):
                history.pop()
            if not history:
                raise NotFound("no version was in force before")
            if history[-1] != NOTHING:
                return await _publish(connection, history, encoder)
            await _put_in_force(connection, history)
        return None

    async def unpublish(self, tenant: str) -> None:
        """Puts no version in force."""
        async with self._locked(tenant) as (connection, row):
            if _in_force(row) != NOTHING:
                await _put_in_force(connection, [*row["history"], NOTHING])

    async def remove_version(self, tenant: str, number: int) -> bool:
        """Removes a version; false where there was none. Raises Conflict."""
        async with self._locked(tenant) as (connection, row):
            version = await _find(connection, number)
            if version is None:
                return False
            if version.shown.published:
                raise Conflict(f"{name_of(number)} is published; roll back first, or publish another")
            if version.unfinished:
                raise Conflict(f"{name_of(number)} is being trained")
            await connection.execute("DELETE FROM nlu_intent_versions WHERE number = $1", number)
            history = [one for one in row["history"] if one != number]
            await connection.execute("UPDATE nlu_intents SET history = $1", history)
        return True

    @asynccontextmanager
    async def _locked(self, tenant: str) -> AsyncIterator[tuple[Connection, asyncpg.Record]]:
        """A transaction that no other change of the tenant's intents runs beside, and the tenant's row."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow(_LOCK)
            assert row is not None
            yield connection, row


async def _examples(connection: Connection, intent: str, after: Place, size: int) -> list[Example]:
    return [Example(**row) for row in await connection.fetch(_EXAMPLES, intent, *after, size)]


async def _find(connection: Connection, number: int) -> Version | None:
    row = await connection.fetchrow(f"{_WHOLE} WHERE number = $1", number)
    return None if row is None else version_of(row)


async def _publish(connection: Connection, history: list[int], encoder: str) -> Version:
    number = history[-1]
    version = await _find(connection, number)
    if version is None:
        _missing(number)
    version.check_usable(encoder)
    if version.shown.published:
        return version
    await _put_in_force(connection, history)
    published = await _find(connection, number)
    assert published is not None
    return published


async def _put_in_force(connection: Connection, history: list[int]) -> None:
    """Puts the last of `history` in force."""
    await connection.execute("UPDATE nlu_intents SET history = $1", history[-_REMEMBERED:])
    await connection.execute("UPDATE nlu_intent_versions SET published_at = now() WHERE number = $1", history[-1])


def _in_force(row: asyncpg.Record) -> int:
    return row["history"][-1] if row["history"] else NOTHING


def _missing(number: int) -> NoReturn:
    raise NotFound(f"there is no version {name_of(number)}" if number else "no version is published")
