"""A Postgres that a test may kill."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import asyncpg
import pytest

import servers
from servers.kit.embedded.postgres import open_postgres
from servers.kit.embedded.progress import silent
from servers.kit.postgres import migrate
from servers.kit.postgres.pool import APP_ROLE


@dataclass(frozen=True)
class Mortal:
    """Its URL for the app's role; killed, it is started again by its supervisor."""

    url: str
    home: Path

    def kill(self) -> None:
        lock = self.home / "postgres" / "data" / "postmaster.pid"
        os.kill(int(lock.read_text().splitlines()[0]), SIGKILL)


@pytest.fixture
async def mortal(stores: Path) -> AsyncIterator[Mortal]:
    """A migrated Postgres for one test."""
    home = Path(tempfile.mkdtemp(dir=stores))
    async with open_postgres(home, silent) as url:
        await migrate(url, Path(servers.__path__[0]))
        connection = await asyncpg.connect(url)
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN")
        await connection.close()
        yield Mortal(url.replace("//salambot@", f"//{APP_ROLE}@", 1), home)
