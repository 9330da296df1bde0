"""Migrations: `migrations/NNNN_name.sql` of the kit and of each component, applied once each, in order.

The kit's come first. A file runs in one transaction as the role that owns the schema; its SHA-256 is kept, and a file
that changed after it was applied stops the start with a message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import asyncpg

_LOCK = 0x5A1A  # one migrating process at a time

_TABLE = """
CREATE TABLE salam_migrations (
    component text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, name)
)
"""


class MigrationError(Exception):
    """The schema and the files disagree; the message says how to mend it."""


def folders(servers: Path) -> list[Path]:
    """The folders of migrations: the kit's first, then the components' by name."""
    found = sorted(servers.glob("*/migrations"))
    return sorted(found, key=lambda folder: folder.parent.name != "kit")


async def migrate(owner_url: str, servers: Path, applied: Callable[[str], None] = lambda name: None) -> None:
    """Brings the schema up to date; tells each file it applies. Safe to run from several processes at once.

    The app's role may look whether there is something to do. Raises MigrationError when there is, and it is not the
    owner's URL.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        if not await connection.fetchval("SELECT to_regclass('salam_migrations') IS NOT NULL"):
            await connection.execute(_TABLE)
        rows = await connection.fetch("SELECT component, name, sha256 FROM salam_migrations")
        done = {(row["component"], row["name"]): row["sha256"] for row in rows}
        for folder in folders(servers):
            await _apply(connection, folder.parent.name, sorted(folder.glob("*.sql")), done, applied)
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"the schema is not up to date, and this role may not change it ({error}): run `salambot migrate` with "
            "SALAMBOT_DATABASE_OWNER_URL"
        ) from error
    finally:
        await connection.close()  # gives the lock back


async def _apply(
    connection: asyncpg.Connection[asyncpg.Record],
    component: str,
    files: Iterable[Path],
    done: dict[tuple[str, str], str],
    applied: Callable[[str], None],
) -> None:
    for file in files:
        sql = file.read_text()
        digest = hashlib.sha256(sql.encode()).hexdigest()
        known = done.get((component, file.name))
        if known == digest:
            continue
        if known is not None:
            raise MigrationError(
                f"{component}/migrations/{file.name} changed after it was applied: put it back as it was and write "
                "the change as a new file"
            )
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute(
                "INSERT INTO salam_migrations (component, name, sha256) VALUES ($1, $2, $3)",
                component,
                file.name,
                digest,
            )
        applied(f"{component}/{file.name}")
