"""One trace for a call and all that it calls."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from servers.kit import errors
from servers.kit.telemetry import RPC_SECONDS
from tests.kit.echo.wire import SOCKET, Wire

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PATH = "salambot.echo.v1.EchoService/"


@pytest.fixture
async def wire(spans: InMemorySpanExporter, wire: Wire) -> Wire:
    """The echo service, opened once spans are recorded."""
    return wire


def made(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of the kit."""
    return [span for span in spans.get_finished_spans() if span.name.startswith(PATH)]


async def test_one_trace_over_a_call_and_its_children(wire: Wire, spans: InMemorySpanExporter) -> None:
    async def answer(request: Any) -> Any:
        if request.data.text == "child":
            return wire.service.reply("child")
        child = wire.pb.EchoInput(text="child", times=2)
        await wire.stub.Hurry(wire.pb.EchoRequest(data=child))
        async for _ in wire.stub.Repeat(wire.pb.EchoRequest(data=child)):
            pass
        return wire.service.reply("done")

    wire.service.answer = answer
    await wire.stub.Echo(wire.request(correlation_id="corr_42"), metadata=[*wire.outside, ("traceparent", PARENT)])

    finished = made(spans)
    servers = {span.name.removeprefix(PATH): span for span in finished if span.kind == SpanKind.SERVER}
    assert set(servers) == {"Echo", "Hurry", "Repeat"}
    by_id = {span.context.span_id: span for span in finished}
    for name in ("Hurry", "Repeat"):
        parent = by_id[servers[name].parent.span_id]
        if wire.name == SOCKET:  # between the two stands the client's side of the hop
            assert (parent.kind, parent.name) == (SpanKind.CLIENT, PATH + name)
            parent = by_id[parent.parent.span_id]
        assert parent is servers["Echo"]
    for span in servers.values():
        assert span.attributes["salambot.correlation_id"] == "corr_42"
        assert span.attributes["salambot.tenant"] == wire.tenant
        assert span.attributes["salambot.code"] == "ok"
    ours = {f"{span.context.trace_id:032x}" for span in finished}
    # The caller's metadata is followed in process; a peer is told of the client's span.
    assert len(ours) == 1
    if wire.name != SOCKET:
        assert ours == {TRACE}


async def test_a_refused_call_is_marked_and_logged_without_its_text(wire: Wire, spans: InMemorySpanExporter) -> None:
    secret = "0612345678"

    async def answer(request: Any) -> Any:
        raise errors.NotFound("there is no such invoice")

    wire.service.answer = answer
    before = RPC_SECONDS.labels("EchoService/Echo", "invalid_input")._sum.get()
    with capture_logs() as logs, pytest.raises(errors.NotFound):
        await wire.stub.Echo(wire.request(secret), metadata=wire.outside)
    for span in made(spans):
        assert span.status.status_code == StatusCode.ERROR
        assert secret not in span.to_json()
    assert [entry["reason"] for entry in logs if entry["event"] == "call refused"] == ["invalid_input"]
    assert secret not in repr(logs)
    assert RPC_SECONDS.labels("EchoService/Echo", "invalid_input")._sum.get() > before


async def test_a_fault_is_recorded_on_the_span_of_the_handler(wire: Wire, spans: InMemorySpanExporter) -> None:
    async def answer(request: Any) -> Any:
        raise RuntimeError("a bug")

    wire.service.answer = answer
    with pytest.raises(errors.InternalError):
        await wire.stub.Echo(wire.request(), metadata=wire.outside)
    (server,) = [span for span in made(spans) if span.kind == SpanKind.SERVER]
    assert [event.attributes["exception.type"] for event in server.events] == ["RuntimeError"]
    assert server.attributes["salambot.code"] == "internal_error"


async def test_a_cancelled_stream_is_no_error(wire: Wire, spans: InMemorySpanExporter) -> None:
    async for _ in wire.stub.Repeat(wire.request(times=1000), metadata=wire.outside):
        break
    await wire.service.ended.get()
    for _ in range(100):
        servers = [span for span in made(spans) if span.kind == SpanKind.SERVER]
        if servers:
            break
        await wire.stub.Echo(wire.request(), metadata=wire.outside)
    assert {span.status.status_code for span in servers} == {StatusCode.UNSET}
