"""The embedded Postgres: what it can, and that commits outlive every way of dying."""

import asyncio
import os

import asyncpg
import pytest

from servers.kit.embedded.account import unprivileged
from servers.kit.embedded.postgres import SOCKET, _binaries, open_postgres
from servers.kit.embedded.progress import silent


async def execute(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


async def when_back(url, statement):
    """The answer as soon as the server takes connections again."""
    while True:
        try:
            return (await execute(url, statement))[0]
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.02)


async def test_it_is_postgres_with_vectors(tmp_path):
    steps = []
    async with open_postgres(tmp_path, lambda *step: steps.append(step)) as url:
        version, _, distance, lower, durable = await execute(
            url,
            "SELECT version()",
            "CREATE EXTENSION vector",
            "SELECT '[1,0]'::vector <=> '[0,1]'::vector",
            "SELECT lower('ÉTÉ À MEKNÈS')",
            "SELECT bool_and(setting = 'on') FROM pg_settings WHERE name IN ('fsync','synchronous_commit','full_page_writes')",
        )
    assert version.startswith("PostgreSQL 18")
    assert distance == 1.0
    assert lower == "été à meknès"
    assert durable
    assert steps[-1] == ("postgres", "Postgres is ready", 1.0)


async def test_nobody_else_reaches_it(tmp_path):
    async with open_postgres(tmp_path, silent) as url:
        assert (await execute(url, "SHOW listen_addresses")) == [""]
        assert (tmp_path / "postgres" / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "postgres" / "socket").stat().st_mode & 0o777 == 0o700


async def test_commits_outlive_a_killed_server(tmp_path, child):
    async with open_postgres(tmp_path, silent) as url:
        await execute(url, "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('kept')")
        first = child("postgres")
        first.kill()
        assert await when_back(url, "SELECT text FROM notes") == "kept"
        assert child("postgres").pid != first.pid
    async with open_postgres(tmp_path, silent) as url:
        assert await execute(url, "SELECT text FROM notes") == ["kept"]


async def test_commits_outlive_a_killed_installation(tmp_path, hold):
    home = tmp_path / "home"
    holder = await asyncio.create_subprocess_exec(*hold("postgres", home), stdout=asyncio.subprocess.PIPE)
    url = (await holder.stdout.readline()).decode().strip()
    await execute(url, "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('kept')")
    holder.kill()  # no pause: the old server may still be there when the new one starts
    await holder.wait()
    async with open_postgres(home, silent) as url:
        assert await execute(url, "SELECT text FROM notes") == ["kept"]


async def test_a_server_left_behind_is_replaced(tmp_path):
    async with open_postgres(tmp_path, silent) as url:
        await execute(url, "CREATE TABLE notes (text text)", "INSERT INTO notes VALUES ('kept')")
    data, sockets = tmp_path / "postgres" / "data", tmp_path / "postgres" / "socket"
    account = unprivileged(tmp_path / "postgres")
    starter = await asyncio.create_subprocess_exec(
        *[_binaries() / "pg_ctl", "start", "-w", "-D", data, "-l", data / "log", "-o", f"-h '' -k {sockets}"],
        user=account.uid if account else None,
        group=account.gid if account else None,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await starter.wait() == 0
    left = int((data / "postmaster.pid").read_text().split()[0])
    assert (sockets / SOCKET).exists()
    async with open_postgres(tmp_path, silent) as url:
        assert await execute(url, "SELECT text FROM notes") == ["kept"]
        assert int((data / "postmaster.pid").read_text().split()[0]) != left


async def test_the_lock_of_a_dead_server_whose_process_id_is_taken(tmp_path):
    async with open_postgres(tmp_path, silent):
        lock = tmp_path / "postgres" / "data" / "postmaster.pid"
        _, *rest = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getppid()), *rest]))
    async with open_postgres(tmp_path, silent) as url:
        assert await execute(url, "SELECT 1") == [1]
    os.kill(os.getppid(), 0)  # it was not ours to end


async def test_a_creation_that_was_interrupted_is_begun_again(tmp_path):
    draft = tmp_path / "postgres" / "draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    async with open_postgres(tmp_path, silent) as url:
        assert await execute(url, "SELECT 1") == [1]
    assert not draft.exists()


@pytest.mark.parametrize("name", ["a folder with 'quotes' & spaces", "long" * 40])
async def test_any_home_folder(tmp_path, name):
    async with open_postgres(tmp_path / name, silent) as url:
        assert await execute(url, "SELECT 1") == [1]
