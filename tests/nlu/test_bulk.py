"""Messages streamed in bulk over both transports: order, errors in the middle, back-pressure, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.errors import InvalidInput, PermissionDenied, Timeout
from servers.kit.health import Health
from servers.kit.inprocess import LocalHandlers
from servers.kit.platform import Platform
from servers.kit.server import Server
from servers.nlu.bulk import MOST_AT_ONCE, Read, read_in_bulk
from servers.nlu.reader import Reader
from tests.awaiting import read, until
from tests.conftest import SECRET

Call = Callable[..., Any]


class Service(nlu_service_pb2_grpc.NLUServiceServicer):
    """Reads streams with `read`, and tells how many messages it read at once."""

    def __init__(self, reader: Reader) -> None:
        self.read: Read = reader.read
        self.batches: list[int] = []

    def AnalyzeStream(self, requests: Any, context: Any) -> AsyncIterator[nlu_service_pb2.AnalyzeStreamResponse]:
        return read_in_bulk(requests, self._read)

    async def _read(self, messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        self.batches.append(len(messages))
        return await self.read(messages)


@pytest.fixture
def service(reader: Reader) -> Service:
    """Reads with the model in the repository until a test sets another `read`."""
    return Service(reader)


@pytest.fixture(params=["socket", "in process"])
async def analyze(
    request: pytest.FixtureRequest, service: Service, base_platform: Platform, tenant: str
) -> AsyncIterator[Call]:
    """AnalyzeStream as a client of `tenant` calls it."""
    key = await base_platform.tenants.create_key(tenant, name="test", scopes=[options_pb2.SCOPE_CHAT])
    handlers, port = LocalHandlers(base_platform.chain), 0
    async with AsyncExitStack() as stack:
        if request.param == "socket":
            server = Server(base_platform.chain)
            nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(service, server.grpc)
            await server.start("127.0.0.1", 0, ["salambot.nlu.v1.NLUService"], Health([], {}))
            stack.push_async_callback(server.stop, 0)
            port = server.port
        else:
            nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(service, handlers)
        channel = await stack.enter_async_context(Channel(handlers, f"127.0.0.1:{port}", Signer(SECRET)))
        stub = nlu_service_pb2_grpc.NLUServiceStub(channel)
        credential = [("authorization", f"Bearer {key}")]
        yield lambda requests, **options: stub.AnalyzeStream(requests, metadata=credential, **options)


def message(tenant: str, text: str, number: int = 0) -> nlu_service_pb2.AnalyzeStreamRequest:
    """One request of a stream; only the first has to carry its envelope."""
    request = nlu_service_pb2.AnalyzeStreamRequest(data=nlu_pb2.AnalyzeInput(text=text))
    if number == 0:
        request.envelope.tenant, request.envelope.message_id = tenant, "bulk-1"
        request.envelope.channel = envelope_pb2.CHANNEL_SYSTEM
    return request


async def stream(tenant: str, texts: Iterable[str]) -> AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest]:
    """Requests without a pause."""
    for number, text in enumerate(texts):
        yield message(tenant, text, number)


async def test_two_thousand_messages_are_answered_in_order_and_read_together(
    analyze: Call, service: Service, tenant: str
) -> None:
    texts = [f"fin wslat commande CMD-{number:05d}" for number in range(2000)]
    replies = await read(analyze(stream(tenant, texts)))
    assert [reply.data.entities[0].value for reply in replies] == [f"CMD-{number:05d}" for number in range(2000)]
    assert {(reply.envelope.tenant, reply.envelope.message_id) for reply in replies} == {(tenant, "bulk-1")}
    assert sum(service.batches) == 2000
    assert max(service.batches) <= MOST_AT_ONCE
    assert len(service.batches) < 1000


async def test_a_message_alone_is_answered_at_once(analyze: Call, tenant: str) -> None:
    """A conversation: the next message comes when the reply to the one before was read."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def requests() -> AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest]:
        for number, text in enumerate(("salam", "merci", "thank you")):
            yield message(tenant, text, number)
            assert await heard.get() == text

    async for reply in analyze(requests()):
        heard.put_nowait(reply.data.masked_text)
    assert heard.empty()


async def test_an_empty_stream_has_an_empty_answer(analyze: Call, tenant: str) -> None:
    assert await read(analyze(stream(tenant, ()))) == []


@pytest.mark.parametrize("bad", [0, 1, 63, 64, 150])
async def test_a_bad_message_ends_the_stream_by_its_index(analyze: Call, tenant: str, bad: int) -> None:
    texts = [f"message {number}" for number in range(200)]
    texts[bad] = "x" * 2001
    heard: list[Any] = []
    with pytest.raises(InvalidInput, match=f"message {bad}: data.text") as caught:
        await read(analyze(stream(tenant, texts)), heard)
    assert [reply.data.masked_text for reply in heard] == texts[:bad]
    assert caught.value.violations[0].field == f"[{bad}].data.text"


async def test_another_tenants_message_ends_the_stream(analyze: Call, tenant: str) -> None:
    async def requests() -> AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest]:
        yield message(tenant, "salam")
        yield message("somebody-else", "salam")

    heard: list[Any] = []
    with pytest.raises(PermissionDenied):
        await read(analyze(requests()), heard)
    assert len(heard) == 1


async def test_a_slow_reader_makes_the_writer_wait(analyze: Call, service: Service, tenant: str) -> None:
    sent = 0

    def texts() -> Iterable[str]:
        nonlocal sent
        while sent < 100_000:
            sent += 1
            yield "سلام " * 400

    async def stopped() -> bool:
        before = sent
        await asyncio.sleep(0.3)
        return sent == before

    async def echo(messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        return [nlu_pb2.Analysis(masked_text=message.text) for message in messages]

    service.read = echo
    async with aclosing(analyze(stream(tenant, texts()))) as replies:
        await anext(replies)
        await until(stopped)
        waited_at = sent
        assert waited_at < 10_000  # twice MOST_AT_ONCE, and what the buffers of a connection take
        async for _ in replies:
            if sent > waited_at:
                break
        assert sent > waited_at


async def test_work_stops_when_the_caller_leaves(analyze: Call, service: Service, tenant: str) -> None:
    stopped = asyncio.Event()

    async def stuck(messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        try:
            return await asyncio.Event().wait() or []
        finally:
            stopped.set()

    service.read = stuck
    waiting = asyncio.create_task(read(analyze(stream(tenant, ["salam"]))))
    await until(lambda: bool(service.batches))
    waiting.cancel()
    async with asyncio.timeout(5):
        await stopped.wait()
    await until(lambda: not [task for task in asyncio.all_tasks() if "bulk._receive" in repr(task.get_coro())])


async def test_a_deadline_ends_a_stream_that_is_left_open(analyze: Call, tenant: str) -> None:
    async def requests() -> AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest]:
        yield message(tenant, "salam")
        await asyncio.Event().wait()

    heard: list[Any] = []
    with pytest.raises(Timeout):
        await read(analyze(requests(), timeout=0.5), heard)
    assert len(heard) == 1


async def test_an_error_of_the_reader_ends_the_stream(analyze: Call, service: Service, tenant: str) -> None:
    async def refusing(messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        raise PermissionDenied("not today")

    service.read = refusing
    with pytest.raises(PermissionDenied, match="not today"):
        await read(analyze(stream(tenant, ["salam"])))
