"""Two processes that serve entity types over real stores, and clients of tenants on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servers.kit.platform import Addresses
from tests.nlu.entity_types.installation import Client, Process, new_client, process


@pytest.fixture(scope="session")
async def served(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Process]:
    """A process that serves."""
    async with process(stores / "named", Addresses(database_url, redis_url)) as opened:
        yield opened


@pytest.fixture(scope="session")
async def other(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Process]:
    """Another process of the same installation."""
    async with process(stores / "named", Addresses(database_url, redis_url)) as opened:
        yield opened


@pytest.fixture
async def client(served: Process) -> Client:
    """A client of a tenant of the test's own."""
    return await new_client(served)


@pytest.fixture
async def stranger(served: Process) -> Client:
    """A client of another tenant."""
    return await new_client(served)
