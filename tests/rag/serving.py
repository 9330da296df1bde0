"""RAG over given stores, in this process or in one for tests to kill: `python -m tests.rag.serving DATABASE REDIS HOME`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from salambot.rag.v1 import rag_service_pb2_grpc

from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.settings import read_settings
from servers.rag.servicer import open_servicer
from tests.conftest import SECRET

NEEDS = ("postgres", "inference", "vectors")


@asynccontextmanager
async def rag(database: str, redis: str, home: Path, **set_otherwise: object) -> AsyncIterator[Platform]:
    """A platform that serves RAG; it does jobs when told to."""
    settings = read_settings(home=home, **set_otherwise)
    async with (
        open_platform(settings, Addresses(database, redis), SECRET, NEEDS) as platform,
        open_servicer(platform) as servicer,
    ):
        rag_service_pb2_grpc.add_RAGServiceServicer_to_server(servicer, platform.handlers)
        yield platform


async def main(database: str, redis: str, home: str) -> None:
    """Does jobs until it is killed."""
    async with rag(database, redis, Path(home)) as platform, platform.jobs.running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
