"""Rows of entity types: all SQL of them."""

from __future__ import annotations

from collections.abc import Hashable

import asyncpg
from salambot.nlu.v1 import entity_types_pb2

from servers.kit.errors import InvalidInput
from servers.kit.postgres import Postgres

EntityType = entity_types_pb2.EntityType

MOST_TYPES = 50
MOST_CODE_POINTS = 2_000_000
"""Of all values and synonyms of a tenant: what a process holds of them is some forty times that in bytes."""

# One change of a tenant's types at a time, so that limits hold.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('nlu_entity_types/' || salam_tenant()))"

_OTHERS = "SELECT count(*), coalesce(sum(code_points), 0) FROM nlu_entity_types WHERE name <> $1"

# What is the same already keeps its revision: nothing is compiled anew.
_PUT = """
INSERT INTO nlu_entity_types AS t (name, listed, code_points, patterns, personal) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE SET
    listed = $2, code_points = $3, patterns = $4, personal = $5, revision = gen_random_uuid(), updated_at = now()
    WHERE (t.listed, t.patterns, t.personal) IS DISTINCT FROM ($2, $4, $5)
"""

_ONE = "SELECT name, listed, patterns, personal, updated_at FROM nlu_entity_types WHERE name = $1"

_ALL = "SELECT name, listed, patterns, personal, updated_at FROM nlu_entity_types ORDER BY name"

_ALL_WITHOUT_VALUES = """
SELECT name, '[]'::jsonb AS listed, patterns, personal, updated_at FROM nlu_entity_types ORDER BY name
"""


class Store:
    """The entity types of tenants; each method is one transaction of one tenant."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def put(self, tenant: str, sent: EntityType) -> EntityType:
        """Stores a type in the place of the one before; as stored, without its values.

        Raises InvalidInput when the tenant would have too many types or names.
        """
        listed = [[entry.value, *entry.synonyms] for entry in sent.values]
        code_points = sum(len(name) for names in listed for name in names)
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(_LOCK)
            types, others = await connection.fetchrow(_OTHERS, sent.name) or (0, 0)
            if types >= MOST_TYPES:
                raise InvalidInput(f"there are {MOST_TYPES} entity types already; delete one first")
            if others + code_points > MOST_CODE_POINTS:
                raise InvalidInput(
                    f"values and synonyms of all entity types may have {MOST_CODE_POINTS:,} code points, and would have "
                    f"{others + code_points:,}"
                )
            await connection.execute(_PUT, sent.name, listed, code_points, list(sent.patterns), sent.personal)
            row = await connection.fetchrow(_ONE, sent.name)
        assert row is not None, "written in this transaction"
        stored = _type(row)
        stored.ClearField("values")
        return stored

    async def find(self, tenant: str, name: str) -> EntityType | None:
        """One type with its values; None when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            row = await connection.fetchrow(_ONE, name)
        return _type(row) if row is not None else None

    async def all(self, tenant: str, *, values: bool) -> list[EntityType]:
        """All types by name, with or without their values."""
        async with self._postgres.tenant(tenant) as connection:
            return [_type(row) for row in await connection.fetch(_ALL if values else _ALL_WITHOUT_VALUES)]

    async def delete(self, tenant: str, name: str) -> bool:
        """Removes a type; false when there is none."""
        async with self._postgres.tenant(tenant) as connection:
            done = await connection.execute("DELETE FROM nlu_entity_types WHERE name = $1", name)
        return done != "DELETE 0"

    async def revisions(self, tenant: str) -> Hashable:
        """Differs whenever any type of the tenant does."""
        async with self._postgres.tenant(tenant) as connection:
            rows = await connection.fetch("SELECT revision FROM nlu_entity_types ORDER BY name")
        return tuple(row["revision"] for row in rows)


def _type(row: asyncpg.Record) -> EntityType:
    values = [entity_types_pb2.EntityValue(value=value, synonyms=synonyms) for value, *synonyms in row["listed"]]
    return EntityType(
        name=row["name"],
        values=values,
        patterns=row["patterns"],
        personal=row["personal"],
        updated_at=row["updated_at"],
    )
