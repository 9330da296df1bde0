"""The stores of the kit's tests: one real Postgres a test process, migrated, with a pool as the app has it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import asyncpg
import pytest
import pytest_asyncio

import servers
from servers.kit.embedded.postgres import open_postgres
from servers.kit.embedded.progress import silent
from servers.kit.postgres import Postgres, migrate
from servers.kit.postgres.pool import APP_ROLE

SERVERS = Path(servers.__path__[0])


@asynccontextmanager
async def migrated(home: Path) -> AsyncIterator[str]:
    """A Postgres of its own with the whole schema; its URL for the owner."""
    async with open_postgres(home, silent) as url:
        await migrate(url, SERVERS)
        connection = await asyncpg.connect(url)
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN")
        await connection.close()
        yield url


def as_app(owner_url: str) -> str:
    return owner_url.replace("//salambot@", f"//{APP_ROLE}@", 1)


@pytest.fixture(scope="session")
def stores() -> Iterator[Path]:
    """A folder for embedded stores. Not pytest's own: a second run closes that to the account Postgres runs as."""
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session")
async def owner_url(stores: Path) -> AsyncIterator[str]:
    """A migrated database, as its owner."""
    async with migrated(stores / "shared") as url:
        yield url


@pytest.fixture(scope="session")
def database_url(owner_url: str) -> str:
    """The same database, as the app's role."""
    return as_app(owner_url)


@pytest_asyncio.fixture(scope="session")
async def postgres(database_url: str) -> AsyncIterator[Postgres]:
    """A pool as the app has it."""
    pool = await Postgres.open(database_url, 8)
    yield pool
    await pool.close()


@dataclass(frozen=True)
class Mortal:
    """A Postgres that a test may kill; its supervisor starts it again."""

    url: str
    home: Path

    def kill(self) -> None:
        lock = self.home / "postgres" / "data" / "postmaster.pid"
        os.kill(int(lock.read_text().splitlines()[0]), SIGKILL)


@pytest_asyncio.fixture
async def mortal(stores: Path) -> AsyncIterator[Mortal]:
    """A migrated Postgres for one test, as the app's role."""
    home = Path(tempfile.mkdtemp(dir=stores))
    async with migrated(home) as url:
        yield Mortal(as_app(url), home)
