"""Every vector store there is: pgvector in a real Postgres, Milvus Lite, and Qdrant's local mode."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from servers.kit.postgres import Postgres
from servers.kit.vectors import VectorStore
from servers.kit.vectors.milvus import Milvus
from servers.kit.vectors.pgvector import PgVector
from servers.kit.vectors.qdrant import Qdrant

KINDS = ("pgvector", "milvus", "qdrant")


@asynccontextmanager
async def opened(kind: str, postgres: Postgres, folder: Path) -> AsyncIterator[VectorStore]:
    store: VectorStore
    match kind:
        case "pgvector":
            store = PgVector(postgres)
        case "milvus":
            store = Milvus(str(folder / "vectors.db"))
        case _:
            store = Qdrant(":memory:")
    yield store
    await store.close()


@pytest_asyncio.fixture(scope="session", params=KINDS)
async def store(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[VectorStore]:
    async with opened(request.param, postgres, tmp_path_factory.mktemp("vectors")) as store:
        yield store


@pytest_asyncio.fixture(params=KINDS)
async def large_store(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> AsyncIterator[VectorStore]:
    """For thousands of items: the embedded ones read them all in Python at each search, which would slow the other tests."""
    async with opened(request.param, postgres, tmp_path) as store:
        yield store


@pytest.fixture
def tenant() -> str:
    return f"t{uuid.uuid4().hex}"
