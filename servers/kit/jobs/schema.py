"""pgqueuer's queries, over the tables of the kit's migration."""

from __future__ import annotations

from functools import cache
from typing import Any

from pgqueuer import Queries
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.tracing.opentelemetry import OpenTelemetryTracing
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import OnConflict
from pgqueuer.ports.driver import Driver
from pydantic_settings import PydanticBaseSettingsSource


class _Schema(DBSettings):
    """The library's names as the migration has them; the library alone would read CHANNEL or TRIGGER from any shell."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        return (sources["init_settings"],)


class _QueueBuilder(QueryQueueBuilder):
    """Sends headers as text: the pool's connections encode jsonb themselves and would encode them a second time."""

    def build_enqueue_query(self, on_conflict: OnConflict = "raise") -> str:
        return super().build_enqueue_query(on_conflict).replace("$6::jsonb[]", "$6::text[]::jsonb[]")


@cache
def _builders() -> tuple[QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder]:
    schema = _Schema()
    return QueryBuilderEnvironment(schema), _QueueBuilder(schema), QuerySchedulerBuilder(schema)


def queries(driver: Driver) -> Queries:
    """The queries of the queue over `driver`; jobs carry the trace of the call that enqueued them."""
    return Queries(driver, *_builders(), tracer=OpenTelemetryTracing())
