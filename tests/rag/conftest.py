"""A platform with real stores and the real embedder, and clients of tenants on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from rag_client import Client
from salambot.nlu.v1 import nlu_service_pb2_grpc

from servers.kit.platform import Platform
from servers.nlu.servicer import open_servicer as open_nlu
from servers.rag import knowledge
from tests.rag.serving import rag

_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def _mending_at_start_alone() -> Iterator[None]:
    """Tests leave documents unfinished on purpose: nothing may finish them behind their back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "MENDING_S", 3600.0)
        yield


@pytest.fixture(scope="session")
async def platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform that serves RAG and does its jobs."""
    # Imports of tests read from this machine; what tenants may read elsewhere, tests/rag/sources says.
    opened = {"import_private_addresses": True, "import_folders": [stores / "open"]}
    async with rag(database_url, redis_url, stores / "rag", **opened) as platform, platform.jobs.running():
        yield platform


@pytest.fixture(scope="session")
async def reading(platform: Platform) -> AsyncIterator[Platform]:
    """The platform with NLU beside RAG."""
    async with open_nlu(platform) as servicer:
        nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(servicer, platform.handlers)
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
