"""What Postgres itself holds back, whatever SQL the app's role sends."""

from __future__ import annotations

import hashlib
import uuid

import asyncpg
import numpy as np
import pytest

from servers.kit.postgres import Postgres
from servers.kit.vectors import Item
from servers.kit.vectors.interfaces import DIMENSIONS
from servers.kit.vectors.pgvector import PgVector

AXES = np.eye(DIMENSIONS, dtype=np.float32)


@pytest.fixture
async def tenants(postgres: Postgres) -> tuple[str, str]:
    """Two tenants with an item each."""
    names = f"t{uuid.uuid4().hex}", f"u{uuid.uuid4().hex}"
    for name in names:
        await PgVector(postgres).replace(name, "d", [Item("x", AXES[0], {"document": "d"})])
    return names


async def test_raw_sql_sees_and_touches_only_the_tenant_of_the_transaction(
    postgres: Postgres, tenants: tuple[str, str]
) -> None:
    first, second = tenants
    async with postgres.tenant(first) as connection:
        assert {row["tenant"] for row in await connection.fetch("SELECT tenant FROM vectors")} == {first}
        assert await connection.fetch("SELECT 1 FROM vectors WHERE tenant = $1", second) == []
        assert await connection.execute("DELETE FROM vectors WHERE tenant = $1", second) == "DELETE 0"
        assert await connection.execute("UPDATE vectors SET document = 'z' WHERE tenant = $1", second) == "UPDATE 0"
    async with postgres.system() as connection:
        assert await connection.fetch("SELECT 1 FROM vectors") == []


async def test_no_row_can_be_written_for_or_moved_to_another_tenant(
    postgres: Postgres, tenants: tuple[str, str]
) -> None:
    first, second = tenants
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with postgres.tenant(first) as connection:
            await connection.execute(
                "INSERT INTO vectors (tenant, id, document, embedding, payload) VALUES ($1, 'y', 'd', $2, '{}')",
                second,
                AXES[1],
            )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with postgres.tenant(first) as connection:
            await connection.execute("UPDATE vectors SET tenant = $1, id = 'y'", second)


async def test_partitions_are_out_of_reach(postgres: Postgres, tenants: tuple[str, str]) -> None:
    for name in tenants:
        partition = f"vectors_{hashlib.md5(name.encode()).hexdigest()}"
        for statement in ("SELECT * FROM {}", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with postgres.tenant(tenants[0]) as connection:
                    await connection.execute(statement.format(partition))


async def test_each_tenant_has_a_graph_of_its_own(postgres: Postgres, owner_url: str, tenants: tuple[str, str]) -> None:
    connection = await asyncpg.connect(owner_url)
    indexes = await connection.fetch("SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'")
    await connection.close()
    assert {f"vectors_{hashlib.md5(name.encode()).hexdigest()}" for name in tenants} <= {row[0] for row in indexes}
