"""Traces, metrics and logs: set up once at the composition root, used by the interceptors and by adapters."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Histogram

from servers.kit.call import current_or_none
from servers.kit.settings import Settings

RPC_SECONDS = Histogram(
    "salambot_rpc_seconds",
    "Duration of RPCs served, in seconds.",
    ("method", "code"),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DEGRADED = Counter(
    "salambot_degraded_total", "Answers given without something that was out of reach.", ("component", "without")
)


def _with_call(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Gives each log line the tenant and the correlation id of the call it belongs to; never its text."""
    call = current_or_none()
    if call is not None:
        if call.principal is not None:
            event.setdefault("tenant", call.principal.tenant)
        if call.envelope is not None:
            event.setdefault("correlation_id", call.envelope.correlation_id)
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event.setdefault("trace_id", f"{span.trace_id:032x}")
    return event


def set_up_logging(settings: Settings) -> None:
    """Makes structlog write to standard error: JSON lines, or lines for people on a terminal."""
    people = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    # Not its default for exceptions, which prints the locals of every frame: keys and customers' texts among them.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = for_people if people else structlog.processors.JSONRenderer(ensure_ascii=False)
    processors: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_call,
        *([] if people else [structlog.processors.format_exc_info]),
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("pgqueuer").setLevel(logging.CRITICAL)  # our worker tells of failed jobs itself
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def set_up_tracing(settings: Settings, service: str) -> TracerProvider | None:
    """Exports spans to the OTLP endpoint of the settings; without one nothing is recorded and nothing is paid.

    The gRPC spans are made by the telemetry interceptor, the same over a socket and in process; asyncpg and Redis
    by OpenTelemetry's own instrumentation, ASGI in the gateway.
    """
    if settings.otlp_endpoint is None:
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": f"salambot-{service}"}))
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=settings.otlp_endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    AsyncPGInstrumentor(capture_parameters=False).instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    RedisInstrumentor().instrument(tracer_provider=provider)
    return provider
