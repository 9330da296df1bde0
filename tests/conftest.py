"""What the tests share: real stores, one set a test process, migrated and opened as a serving process does."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import servers
from servers.kit.embedded.postgres import open_postgres
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.postgres import Postgres, migrate
from servers.kit.postgres.pool import APP_ROLE
from servers.kit.settings import read_settings

SERVERS = Path(servers.__path__[0])
SECRET = "a secret of at least 32 characters"

_numbers = count()


@pytest.fixture(scope="session")
def stores() -> Iterator[Path]:
    """A folder for embedded stores. Not pytest's own: a second run closes that to the account Postgres runs as."""
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def owner_url(stores: Path) -> AsyncIterator[str]:
    """A migrated database, as its owner."""
    async with open_postgres(stores / "shared", silent) as url:
        await migrate(url, SERVERS)
        connection = await asyncpg.connect(url)
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN")
        await connection.close()
        yield url


@pytest.fixture(scope="session")
def database_url(owner_url: str) -> str:
    """The same database, as the app's role."""
    return owner_url.replace("//salambot@", f"//{APP_ROLE}@", 1)


@pytest.fixture(scope="session")
async def postgres(database_url: str) -> AsyncIterator[Postgres]:
    """A pool as the app has it."""
    pool = await Postgres.open(database_url, 8)
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
async def redis_url(stores: Path) -> AsyncIterator[str]:
    """A Redis."""
    async with open_redis(stores / "shared", silent) as url:
        yield url


@pytest.fixture(scope="session")
async def base_platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform over both stores, without models or vectors."""
    settings = read_settings(home=stores / "home")
    async with open_platform(settings, Addresses(database_url, redis_url), SECRET, needs=()) as platform:
        yield platform


@pytest.fixture
async def tenant(base_platform: Platform) -> str:
    """A tenant of the test's own."""
    name = f"tenant-{next(_numbers)}"
    await base_platform.tenants.put(name, name="Atlas", locale="ar-MA", settings={})
    return name


@pytest.fixture(scope="session")
def _exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(_exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """The spans that end during the test, all of this process."""
    _exporter.clear()
    return _exporter
