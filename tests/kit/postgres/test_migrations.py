"""Migrations: applied once each, in order, whole or not at all, by one process at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from servers.kit.postgres import migrate
from servers.kit.postgres.migrations import MigrationError
from tests.conftest import SERVERS


@pytest_asyncio.fixture
async def empty_url(owner_url: str) -> AsyncIterator[str]:
    """An empty database, as its owner."""
    name = f"empty_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(owner_url)
    await owner.execute(f"CREATE DATABASE {name}")
    yield owner_url.replace("@/salambot?", f"@/{name}?", 1)
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()


@pytest.fixture
def servers_folder(tmp_path: Path) -> Path:
    """A tree like servers/: the kit's table, then a component that needs it."""
    write(tmp_path, "kit/migrations/0001_base.sql", "CREATE TABLE base (id int PRIMARY KEY);")
    write(tmp_path, "alpha/migrations/0001_first.sql", "CREATE TABLE first (id int REFERENCES base);")
    write(tmp_path, "alpha/migrations/0002_second.sql", "ALTER TABLE first ADD COLUMN name text;")
    return tmp_path


def write(folder: Path, name: str, sql: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sql)


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_files_are_applied_in_order_and_once(empty_url: str, servers_folder: Path) -> None:
    applied: list[str] = []
    await migrate(empty_url, servers_folder, applied.append)
    assert applied == ["kit/0001_base.sql", "alpha/0001_first.sql", "alpha/0002_second.sql"]
    await migrate(empty_url, servers_folder, applied.append)
    assert len(applied) == 3
    write(servers_folder, "alpha/migrations/0003_third.sql", "CREATE TABLE third ();")
    await migrate(empty_url, servers_folder, applied.append)
    assert applied[3:] == ["alpha/0003_third.sql"]


async def test_a_file_that_changed_after_it_was_applied_is_refused(empty_url: str, servers_folder: Path) -> None:
    await migrate(empty_url, servers_folder)
    write(servers_folder, "alpha/migrations/0001_first.sql", "CREATE TABLE first (id text);")
    with pytest.raises(MigrationError, match=r"alpha/migrations/0001_first\.sql changed"):
        await migrate(empty_url, servers_folder)


async def test_a_file_that_fails_leaves_nothing_of_itself(empty_url: str, servers_folder: Path) -> None:
    write(servers_folder, "alpha/migrations/0002_second.sql", "CREATE TABLE half (); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_url, servers_folder)
    assert await tables(empty_url) == {"salam_migrations", "base", "first"}
    write(servers_folder, "alpha/migrations/0002_second.sql", "CREATE TABLE whole ();")
    await migrate(empty_url, servers_folder)
    assert "whole" in await tables(empty_url)


async def test_processes_that_migrate_at_once_agree(empty_url: str, servers_folder: Path) -> None:
    applied: list[str] = []
    await asyncio.gather(*(migrate(empty_url, servers_folder, applied.append) for _ in range(4)))
    assert len(applied) == 3


async def test_the_app_s_role_may_start_once_the_schema_is_up_to_date(database_url: str, servers_folder: Path) -> None:
    applied: list[str] = []
    await migrate(database_url, SERVERS, applied.append)
    assert applied == []
    with pytest.raises(MigrationError, match="SALAMBOT_DATABASE_OWNER_URL"):
        await migrate(database_url, servers_folder)


async def test_every_table_with_a_tenant_is_behind_row_level_security(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    rows = await connection.fetch("""
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
            AND NOT (c.relrowsecurity AND EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = c.oid))
    """)
    await connection.close()
    assert [row["relname"] for row in rows] == []
