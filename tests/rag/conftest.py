"""A platform with real stores and the real embedder, and clients of tenants on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from rag_client import Client
from salambot.rag.v1 import rag_service_pb2_grpc

from servers.kit.platform import Addresses, Platform, open_platform
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


@pytest.fixture(scope="session")
async def platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform that serves RAG."""
    settings = read_settings(home=stores / "rag")
    secret, needs = "a secret of at least 32 characters", ("postgres", "inference", "vectors")
    async with (
        open_platform(settings, Addresses(database_url, redis_url), secret, needs) as platform,
        open_servicer(platform) as servicer,
    ):
        rag_service_pb2_grpc.add_RAGServiceServicer_to_server(servicer, platform.handlers)
        yield platform


@pytest.fixture
async def client(platform: Platform) -> Client:
    """A client of a tenant of the test's own."""
    return await _client(platform)


@pytest.fixture
async def stranger(platform: Platform) -> Client:
    """A client of another tenant."""
    return await _client(platform)


async def _client(platform: Platform) -> Client:
    tenant = f"rag-{next(_numbers)}"
    await platform.tenants.put(tenant, name=tenant, locale="fr-MA", settings={})
    return Client(tenant, platform)
