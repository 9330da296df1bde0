"""A platform with real stores and the real embedder, and clients of tenants on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from rag_client import Client
from salambot.rag.v1 import rag_service_pb2_grpc

import servers
from servers.kit.embedded.postgres import open_postgres
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.postgres import migrate
from servers.kit.postgres.pool import APP_ROLE
from servers.kit.settings import read_settings
from servers.rag import knowledge
from servers.rag.servicer import open_servicer

_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def _mending_at_start_alone() -> Iterator[None]:
    """Tests leave documents unfinished on purpose: nothing may finish them behind their back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "MENDING_S", 3600.0)
        yield


@pytest_asyncio.fixture(scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform that serves RAG."""
    home = tmp_path_factory.mktemp("rag")
    settings = read_settings(home=home)
    async with open_postgres(home, silent) as owner, open_redis(home, silent) as redis:
        await migrate(owner, Path(servers.__path__[0]))
        connection = await asyncpg.connect(owner)
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN")
        await connection.close()
        addresses = Addresses(database=owner.replace("//salambot@", f"//{APP_ROLE}@", 1), redis=redis)
        needs = ("postgres", "inference", "vectors")
        secret = "a secret of at least 32 characters"
        async with open_platform(settings, addresses, secret, needs) as platform, open_servicer(platform) as servicer:
            rag_service_pb2_grpc.add_RAGServiceServicer_to_server(servicer, platform.handlers)
            yield platform


@pytest_asyncio.fixture
async def client(platform: Platform) -> Client:
    """A client of a tenant of the test's own."""
    return await _client(platform)


@pytest_asyncio.fixture
async def stranger(platform: Platform) -> Client:
    """A client of another tenant."""
    return await _client(platform)


async def _client(platform: Platform) -> Client:
    tenant = f"tenant-{next(_numbers)}"
    await platform.tenants.put(tenant, name=tenant, locale="fr-MA", settings={})
    return Client(tenant, platform)
