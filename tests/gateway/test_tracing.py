"""One span for each request, named after its route."""

from __future__ import annotations

from dataclasses import replace

import httpx
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.app import create_app
from gateway.server import serving
from servers.kit.settings import read_settings
from tests.gateway.conftest import Behind
from tests.gateway.peer import Peer

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_request_is_one_span_of_the_callers_trace(behind: Behind, answers: Peer) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    settings = read_settings(home=behind.settings.home, otlp_endpoint="http://127.0.0.1:4317")
    app = create_app(replace(behind, settings=settings))
    assert isinstance(app, OpenTelemetryMiddleware)
    app.tracer = provider.get_tracer("test")

    async with (
        serving(app, "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        for path in ("/v1/conversations/secret-id/turns", "/healthz", "/metrics"):
            assert (await client.get(path, headers={"traceparent": PARENT})).status_code == 200

    (span,) = spans.get_finished_spans()
    assert span.name == "GET /v1/conversations/{data.conversation_id}/turns"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert answers.metadata[0]["traceparent"].split("-")[1] == PARENT.split("-")[1]
