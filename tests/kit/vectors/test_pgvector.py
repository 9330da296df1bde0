"""What Postgres itself holds back, whatever SQL the app's role sends."""

from __future__ import annotations

import hashlib
import uuid

import asyncpg
import numpy as np
import pytest

from servers.kit.postgres import Postgres
from servers.kit.vectors.pgvector import GRAPH_FROM, PgVector
from tests.kit.vectors.items import AXES, SILENT, directions, ids, item, terms


@pytest.fixture
async def tenants(postgres: Postgres) -> tuple[str, str]:
    """Two tenants with an item each."""
    names = f"t{uuid.uuid4().hex}", f"u{uuid.uuid4().hex}"
    for name in names:
        await PgVector(postgres).put(name, [item("x", AXES[0], "d", {1: 1.0})])
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
                "INSERT INTO vectors (tenant, id, document, embedding, payload, term_ids, terms) "
                "SELECT $1, 'y', document, embedding, payload, term_ids, terms FROM vectors",
                second,
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


async def test_a_search_looks_at_the_partition_it_was_asked_for_alone(
    postgres: Postgres, tenants: tuple[str, str]
) -> None:
    """Its function runs as the owner, whom row-level security lets see everything."""
    first, second = tenants
    async with postgres.tenant(first) as connection:
        await connection.execute("DELETE FROM vectors")
    store = PgVector(postgres)
    assert await store.search(first, AXES[0], terms({1: 1.0}), 10, {}) == []
    assert ids(await store.search(second, AXES[0], terms({1: 1.0}), 10, {})) == ["x"]


async def test_a_large_partition_gets_a_graph_and_a_small_one_none(
    postgres: Postgres, owner_url: str, tenants: tuple[str, str]
) -> None:
    large, small = tenants
    vectors = directions(GRAPH_FROM, seed=4)
    await PgVector(postgres).put(large, [item(str(at), vector, "e") for at, vector in enumerate(vectors)])
    connection = await asyncpg.connect(owner_url)
    indexes = await connection.fetch("SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'")
    await connection.close()
    with_graph = {row["tablename"] for row in indexes}
    assert f"vectors_{hashlib.md5(large.encode()).hexdigest()}" in with_graph
    assert f"vectors_{hashlib.md5(small.encode()).hexdigest()}" not in with_graph
    # Written later, found through the graph
    added = (vectors[0] + vectors[1]) / np.linalg.norm(vectors[0] + vectors[1])
    await PgVector(postgres).put(large, [item("later", added, "e")])
    assert ids(await PgVector(postgres).search(large, added, SILENT, 1, {})) == ["later"]
