"""Streams: back-pressure, errors in the middle, and nothing of a handler's context in its caller's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import pytest
from opentelemetry import trace

from servers.kit import errors
from servers.kit.call import current, current_or_none, serving, work
from servers.kit.envelope import Envelope
from servers.kit.method import find
from servers.kit.principal import Principal
from tests.awaiting import read
from tests.kit.echo.wire import IN_PROCESS, Wire

_mark: ContextVar[str] = ContextVar("mark", default="")


async def test_a_handler_waits_for_a_slow_reader(wire: Wire) -> None:
    said = 0

    async def answers(request: Any) -> AsyncIterator[Any]:
        nonlocal said
        for _ in range(2000):
            said += 1
            yield wire.service.reply("x" * 20_000)

    wire.service.answers = answers
    async with aclosing(wire.stub.Repeat(wire.request(), metadata=wire.outside)) as replies:
        await anext(replies)
        await asyncio.sleep(0.2)
        waited_at = said
        assert waited_at < 500  # what the buffers of a connection take, or the queue in process
        await asyncio.sleep(0.1)
        assert said == waited_at
        async for _ in replies:
            if said > waited_at:
                break
        assert said > waited_at


async def test_nothing_is_lost_or_changed_in_order(wire: Wire) -> None:
    replies = [reply.data.text async for reply in wire.stub.Repeat(wire.request(times=500), metadata=wire.outside)]
    assert replies == [f"salam {number}" for number in range(500)]


@pytest.mark.parametrize("said", [0, 1, 63, 64, 65, 200])
async def test_an_error_comes_after_everything_that_was_said(wire: Wire, said: int) -> None:
    async def answers(request: Any) -> AsyncIterator[Any]:
        for number in range(said):
            yield wire.service.reply(str(number))
        raise errors.UpstreamError("the model server broke off")

    wire.service.answers = answers
    heard: list[Any] = []
    with pytest.raises(errors.UpstreamError, match="broke off"):
        await read(wire.stub.Repeat(wire.request(), metadata=wire.outside), heard)
    assert [reply.data.text for reply in heard] == [str(number) for number in range(said)]
    assert await wire.service.ended.get() == "Repeat"


async def test_both_sides_of_a_conversation_take_turns(wire: Wire) -> None:
    heard = asyncio.Queue()

    async def requests() -> AsyncIterator[Any]:
        for text in ("one", "two", "three"):
            yield wire.request(text)
            assert (await heard.get()) == text.upper()

    async for reply in wire.stub.Converse(requests(), metadata=wire.outside):
        heard.put_nowait(reply.data.text)
    assert heard.empty()


async def test_a_handlers_context_is_not_its_readers(wire: Wire) -> None:
    async def answers(request: Any) -> AsyncIterator[Any]:
        for number in range(3):
            _mark.set(f"handler {number}")
            assert current().envelope.message_id == "m1"
            yield wire.service.reply("text")
            assert _mark.get() == f"handler {number}"
            assert current().envelope.message_id == "m1"

    wire.service.answers = answers
    _mark.set("reader")
    span = trace.get_current_span()
    async for _ in wire.stub.Repeat(wire.request(times=3), metadata=wire.outside):
        assert _mark.get() == "reader"
        assert current_or_none() is None
        assert trace.get_current_span() is span
    assert current_or_none() is None


async def test_a_child_of_the_same_process_does_not_become_the_current_call(wire: Wire) -> None:
    own = work(
        find("/salambot.echo.v1.EchoService/Echo"),
        Principal(wire.tenant, "job", frozenset({1})),
        Envelope(tenant=wire.tenant, channel=5, message_id="job"),
        seconds=5,
    )
    with serving(own):
        await wire.stub.Echo(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child")))
        assert current() is own
        with pytest.raises(errors.InvalidInput):
            await wire.stub.Echo(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="")))
        assert current() is own
        async for _ in wire.stub.Repeat(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child", times=2))):
            assert current() is own
    assert current_or_none() is None


async def test_a_child_call_carries_the_envelope_and_the_principal(wire: Wire) -> None:
    async def requests() -> AsyncIterator[Any]:
        yield wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child"))

    async def answer(request: Any) -> Any:
        if request.data.text != "salam":
            return wire.service.reply(request.data.text)
        await wire.stub.Echo(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child")))
        await wire.stub.Collect(requests())
        async for _ in wire.stub.Repeat(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child", times=1))):
            pass
        async for _ in wire.stub.Converse(requests()):
            pass
        return wire.service.reply("done")

    wire.service.answer = answer
    await wire.stub.Echo(wire.request(correlation_id="corr_42"), metadata=wire.outside)
    parent, *children = wire.service.calls
    assert len(children) == 4
    assert not parent.principal.internal
    for child in children:
        assert child.envelope.correlation_id == "corr_42"
        assert child.envelope.message_id == "m1"
        assert child.tenant == wire.tenant
        assert child.principal.key_id == parent.principal.key_id
        assert child.principal.internal


async def test_a_child_holds_no_more_scopes_than_its_parent(wire: Wire) -> None:
    async def answer(request: Any) -> Any:
        return await wire.stub.Administer(wire.pb.EchoRequest(data=request.data))

    wire.service.answer = answer
    with pytest.raises(errors.PermissionDenied):
        await wire.stub.Echo(wire.request(), metadata=wire.outside)


async def test_an_error_of_a_child_arrives_whole_at_the_client(wire: Wire) -> None:
    async def answer(request: Any) -> Any:
        if request.data.text == "child":
            raise errors.Conflict("it is taken", violations=[errors.Violation("data.text", "is taken")])
        return await wire.stub.Echo(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child")))

    wire.service.answer = answer
    with pytest.raises(errors.Conflict, match="it is taken") as caught:
        await wire.stub.Echo(wire.request(), metadata=wire.outside)
    assert caught.value.violations == (("data.text", "is taken"),)


async def test_calls_at_once_keep_apart(wire: Wire) -> None:
    async def answer(request: Any) -> Any:
        await asyncio.sleep(0.01)
        return wire.service.reply(current().envelope.message_id)

    wire.service.answer = answer
    replies = await asyncio.gather(
        *(wire.stub.Echo(wire.request(message_id=f"m{n}"), metadata=wire.outside) for n in range(50))
    )
    assert [reply.data.text for reply in replies] == [f"m{n}" for n in range(50)]


async def test_no_task_is_left_behind(wire: Wire) -> None:
    if wire.name != IN_PROCESS:
        pytest.skip("grpc.aio keeps tasks of its own")
    async for _ in wire.stub.Repeat(wire.request(times=100), metadata=wire.outside):
        break
    async with aclosing(wire.stub.Repeat(wire.request(times=100), metadata=wire.outside)) as replies:
        await anext(replies)
    await asyncio.sleep(0.05)
    assert not [task for task in asyncio.all_tasks() if "LocalHandlers.stream" in repr(task.get_coro())]
