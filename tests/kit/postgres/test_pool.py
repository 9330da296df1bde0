"""The pool: a transaction is a tenant's, and Postgres itself sees to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from servers.kit.errors import InternalError, UpstreamError
from servers.kit.postgres import Postgres
from tests.kit.mortal import Mortal


@pytest_asyncio.fixture(scope="module")
async def notes(owner_url: str) -> AsyncIterator[str]:
    """A tenant's table, as a component's migration makes one."""
    table = f"notes_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(owner_url)
    await owner.execute(f"""
        CREATE TABLE {table} (
            tenant text NOT NULL DEFAULT salam_tenant(), id int NOT NULL, settings jsonb, PRIMARY KEY (tenant, id)
        );
        SELECT salam_protect('{table}');
    """)
    yield table
    await owner.execute(f"DROP TABLE {table}")
    await owner.close()


@pytest.fixture
def tenants() -> tuple[str, str]:
    return f"a-{uuid.uuid4().hex}", f"b-{uuid.uuid4().hex}"


async def test_a_tenant_reads_what_it_wrote_and_a_second_tenant_nothing(
    postgres: Postgres, notes: str, tenants: tuple[str, str]
) -> None:
    first, second = tenants
    async with postgres.tenant(first) as connection:
        await connection.execute(f"INSERT INTO {notes} (id, settings) VALUES (1, $1)", {"colour": "أحمر"})
    async with postgres.tenant(first) as connection:
        rows = await connection.fetch(f"SELECT * FROM {notes}")
    assert [tuple(row) for row in rows] == [(first, 1, {"colour": "أحمر"})]
    async with postgres.tenant(second) as connection:
        assert await connection.fetch(f"SELECT * FROM {notes}") == []
        assert await connection.execute(f"DELETE FROM {notes}") == "DELETE 0"
        assert await connection.execute(f"UPDATE {notes} SET id = 2") == "UPDATE 0"


async def test_no_tenant_sees_and_writes_nothing(postgres: Postgres, notes: str, tenants: tuple[str, str]) -> None:
    async with postgres.tenant(tenants[0]) as connection:
        await connection.execute(f"INSERT INTO {notes} (id) VALUES (1)")
    async with postgres.system() as connection:
        assert await connection.fetch(f"SELECT * FROM {notes}") == []
    for values in ("DEFAULT, 1", f"'{tenants[0]}', 2", "'', 3"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.NotNullViolationError)):
            async with postgres.system() as connection:
                await connection.execute(f"INSERT INTO {notes} (tenant, id) VALUES ({values})")


async def test_a_row_cannot_be_written_for_another_tenant(
    postgres: Postgres, notes: str, tenants: tuple[str, str]
) -> None:
    first, second = tenants
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with postgres.tenant(first) as connection:
            await connection.execute(f"INSERT INTO {notes} (tenant, id) VALUES ($1, 1)", second)
    async with postgres.tenant(first) as connection:
        await connection.execute(f"INSERT INTO {notes} (id) VALUES (1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with postgres.tenant(first) as connection:
            await connection.execute(f"UPDATE {notes} SET tenant = $1", second)


async def test_an_error_undoes_the_whole_transaction(postgres: Postgres, notes: str, tenants: tuple[str, str]) -> None:
    async def write_twice() -> None:
        async with postgres.tenant(tenants[0]) as connection:
            await connection.execute(f"INSERT INTO {notes} (id) VALUES (1)")
            await connection.execute(f"INSERT INTO {notes} (id) VALUES (1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await write_twice()
    async with postgres.tenant(tenants[0]) as connection:
        assert await connection.fetch(f"SELECT * FROM {notes}") == []


async def test_a_cancelled_call_leaves_nothing_behind(database_url: str, notes: str, tenants: tuple[str, str]) -> None:
    pool = await Postgres.open(database_url, 2)

    async def write() -> None:
        async with pool.tenant(tenants[0]) as connection:
            await connection.execute(f"INSERT INTO {notes} (id) VALUES (1)")
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(5):  # more often than the pool has connections
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(write(), 0.2)
    async with pool.tenant(tenants[0]) as connection:
        assert await connection.fetch(f"SELECT * FROM {notes}") == []
    await pool.close()


async def test_no_tenant_is_left_on_a_connection(database_url: str, tenants: tuple[str, str]) -> None:
    pool = await Postgres.open(database_url, 2)
    for _ in range(4):
        async with pool.tenant(tenants[0]) as connection:
            assert await connection.fetchval("SELECT salam_tenant()") == tenants[0]
        async with pool.system() as connection:
            assert await connection.fetchval("SELECT salam_tenant()") is None
    await pool.close()


async def test_the_owner_s_url_does_not_lend_the_owner_s_rights(owner_url: str) -> None:
    pool = await Postgres.open(owner_url, 2)
    async with pool.system() as connection:
        assert await connection.fetchval("SELECT current_user") == "salambot_app"
        assert await connection.fetch("SELECT * FROM tenants") == []
    await pool.close()


@pytest.mark.parametrize("name", ["", "A", "a'; SET ROLE salambot; --", "a\n", "é", "-a", "a" * 64])
async def test_what_cannot_be_a_tenant_is_refused(postgres: Postgres, name: str) -> None:
    with pytest.raises(InternalError):
        async with postgres.tenant(name):
            pass


async def test_nobody_at_the_url_is_an_upstream_error(unused_tcp_port: int) -> None:
    with pytest.raises(UpstreamError):
        await Postgres.open(f"postgresql://salambot_app@127.0.0.1:{unused_tcp_port}/salambot", 2)


async def test_a_killed_postgres_is_an_upstream_error_until_it_is_back(mortal: Mortal) -> None:
    pool = await Postgres.open(mortal.url, 4)
    await pool.check()

    async def ask() -> None:
        async with pool.tenant("demo") as connection:
            await connection.fetchval("SELECT 1")

    async def wait() -> None:
        async with pool.tenant("demo") as connection:
            await connection.execute("SELECT pg_sleep(60)")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.3)
    mortal.kill()
    with pytest.raises(UpstreamError):
        await waiting
    failures = 0
    async with asyncio.timeout(30):
        while True:
            try:
                await ask()
                break
            except UpstreamError:  # and nothing else
                failures += 1
                await asyncio.sleep(0.02)
    assert failures
    await asyncio.gather(*(ask() for _ in range(8)))
    await pool.check()
    await pool.close()
