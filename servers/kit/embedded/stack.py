"""The services of an installation on one machine: those whose URL is not set are started here, all at once."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.kit.embedded.postgres import open_postgres
from servers.kit.embedded.process import StartError
from servers.kit.embedded.progress import Progress, silent
from servers.kit.embedded.redis import open_redis
from servers.kit.embedded.triton import open_triton
from servers.kit.embedded.triton_host import find_libpython
from servers.kit.settings import Settings


@dataclass(frozen=True)
class EmbeddedStack:
    """Where the services are.

    `database_url` is for the owner of the schema when Postgres is embedded. `triton_url` (gRPC, host:port) is None
    when the models are to be served by ONNX Runtime in process; `without_triton` then says why, for people.
    """

    database_url: str
    redis_url: str
    triton_url: str | None
    without_triton: str = ""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        progress: Progress = silent,
        *,
        find: Callable[[], Path | None] = find_libpython,
    ) -> AsyncIterator[EmbeddedStack]:
        """Starts what `settings` does not replace by a URL and stops it afterwards.

        Raises StartError when Postgres or Redis does not start, or when the home folder is in use. Triton is missed
        softly: `without_triton`. `find` looks for libpython.
        """
        home = settings.home.absolute()
        with _lock(home):
            async with AsyncExitStack() as exits:

                async def enter(url: str | None, service: AbstractAsyncContextManager[str]) -> str:
                    return url if url is not None else await exits.enter_async_context(service)

                async def enter_triton() -> tuple[str | None, str]:
                    if settings.triton_url is None and not settings.embedded_triton:
                        return None, "SALAMBOT_EMBEDDED_TRITON is off"
                    service = open_triton(
                        home, settings.models.absolute(), progress, venv=settings.triton_venv, find=find
                    )
                    try:
                        return await enter(settings.triton_url, service), ""
                    except StartError as error:
                        progress("triton", f"ONNX Runtime serves the models in process: {error}", 1.0)
                        return None, str(error)

                try:
                    async with asyncio.TaskGroup() as group:
                        database = group.create_task(enter(settings.database_url, open_postgres(home, progress)))
                        redis = group.create_task(enter(settings.redis_url, open_redis(home, progress)))
                        triton = group.create_task(enter_triton())
                except BaseExceptionGroup as errors:
                    raise errors.exceptions[0] from None
                yield cls(database.result(), redis.result(), *triton.result())


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Holds the home folder: two servers on one data folder would ruin each other."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"another SalamBot is running from {home}; stop it or set SALAMBOT_HOME") from None
        yield
