"""A pool of connections whose every transaction is a tenant's, or plainly the system's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
import structlog
from asyncpg.pool import PoolConnectionProxy
from pgvector.asyncpg import register_vector

from servers.kit.errors import UpstreamError
from servers.kit.tenancy import checked_tenant

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
"""A connection in one of the pool's transactions."""

APP_ROLE = "salambot_app"
"""The role that queries run as: it owns nothing and cannot bypass row-level security."""

_OUT_OF_REACH = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says when a server dies in the middle of its answer
)

log = structlog.get_logger(__name__)


class Postgres:
    """The store of everything that must not be lost. One transaction a request."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, connections: int) -> Postgres:
        """Connects with up to `connections` connections; raises UpstreamError when nobody answers at `url`."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=2,
                max_size=connections,
                init=_prepare,
                reset=_keep,
                command_timeout=30,
                max_inactive_connection_lifetime=300,
            )
        except _OUT_OF_REACH as error:
            raise UpstreamError(f"Postgres does not answer: {error}") from error
        return cls(pool)

    @asynccontextmanager
    async def tenant(self, tenant: str) -> AsyncIterator[Connection]:
        """One transaction that sees the rows of `tenant` and no others; commits at the end, rolls back on an error.

        Raises UpstreamError while Postgres is out of reach.
        """
        # The setting cannot be a bound parameter in the same round trip: hence the check of its form.
        async with self._transaction(f"BEGIN; SET LOCAL salam.tenant = '{checked_tenant(tenant)}'") as connection:
            yield connection

    async def call(self, tenant: str, function: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of a function of the schema that takes the tenant first and begins with `salam_scope`.

        A whole transaction in one round trip instead of three, for what every message waits for. Raises as `tenant`.
        """
        places = ", ".join(f"${number}" for number in range(1, len(arguments) + 2))
        async with self._connection() as connection:
            return await connection.fetch(
                f"SELECT * FROM {function}({places})",  # noqa: S608 - a name of ours and placeholders
                checked_tenant(tenant),
                *arguments,
            )

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """One transaction of no tenant: it sees no tenant's rows, only what the schema opens to all."""
        async with self._transaction("BEGIN; SET LOCAL salam.tenant = ''") as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        async with self._connection() as connection:
            await connection.execute(begin)
            try:
                yield connection
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.acquire() as connection:
                try:
                    yield connection
                except _OUT_OF_REACH:
                    connection.terminate()  # whatever state it is in, nobody is to have it after us
                    raise
        except _OUT_OF_REACH as error:
            log.warning("Postgres is out of reach", error=type(error).__name__)
            raise UpstreamError("the database is out of reach; try again later") from error

    async def check(self) -> None:
        """Returns when Postgres answers."""
        async with self._pool.acquire(timeout=2) as connection:
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        """Waits for running queries, then closes."""
        await self._pool.close()


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    # Iterative scans go on until a filtered vector search has enough matches, in exact order of distance.
    await connection.execute(f"SET ROLE {APP_ROLE}; SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 100")
    await register_vector(connection)  # binary vectors: text casts are 14 times slower
    await connection.set_type_codec("jsonb", encoder=_dump, decoder=orjson.loads, schema="pg_catalog", format="text")


async def _keep(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing is left on a connection: every setting is local to its transaction. Saves a round trip a release."""


async def _roll_back(connection: Connection) -> None:
    # A connection that cannot roll back (cancelled in the middle of a query, server gone) must not be used again.
    try:
        await connection.execute("ROLLBACK", timeout=1)
    except Exception:
        connection.terminate()


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
