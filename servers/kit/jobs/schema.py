"""pgqueuer's queries, over the tables of the kit's migration."""

from __future__ import annotations

from typing import Any, cast

import asyncpg
from pgqueuer import Queries
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.tracing.opentelemetry import OpenTelemetryTracing
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import OnConflict
from pydantic_settings import PydanticBaseSettingsSource

from servers.kit.postgres.pool import Connection


class _Schema(DBSettings):
    """The library's names as the migration has them; the library alone would read CHANNEL or TRIGGER from any shell."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        return (sources["init_settings"],)


class _QueueBuilder(QueryQueueBuilder):
    """Sends headers as text: the pool's connections encode jsonb themselves and would encode them a second time."""

    def build_enqueue_query(self, on_conflict: OnConflict = "raise") -> str:
        return super().build_enqueue_query(on_conflict).replace("$6::jsonb[]", "$6::text[]::jsonb[]")


class _Driver(AsyncpgDriver):
    """Gives its connection up at the first failure: a half-working queue is worse than one that starts over."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        try:
            return await super().fetch(query, *args)
        except Exception:
            self._connection.terminate()
            raise

    async def execute(self, query: str, *args: object) -> str:
        try:
            return await super().execute(query, *args)
        except Exception:
            self._connection.terminate()
            raise


def queries(connection: asyncpg.Connection[asyncpg.Record] | Connection) -> Queries:
    """The queries of the queue over a connection; jobs carry the trace of the call that enqueued them."""
    schema = _Schema()
    return Queries(
        _Driver(cast("asyncpg.Connection[asyncpg.Record]", connection)),
        qbe=QueryBuilderEnvironment(schema),
        qbq=_QueueBuilder(schema),
        qbs=QuerySchedulerBuilder(schema),
        tracer=OpenTelemetryTracing(),
    )
