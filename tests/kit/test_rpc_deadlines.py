"""Deadlines and cancellation, over both transports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import grpc
import pytest

from servers.kit import errors
from servers.kit.call import current
from servers.kit.client import MARGIN_S
from tests.awaiting import read, until
from tests.kit.echo.wire import SOCKET, Wire

SOON = 3.0
"""A handler that is cancelled is left well before this."""


@pytest.fixture
def slow(wire: Wire) -> Wire:
    """The service, whose handlers never end by themselves; streams say one thing first."""

    async def answer(request: Any) -> Any:
        await asyncio.sleep(600)

    async def answers(request: Any) -> AsyncIterator[Any]:
        yield wire.service.reply("one")
        await asyncio.sleep(600)

    wire.service.answer, wire.service.answers = answer, answers
    return wire


async def left(wire: Wire) -> str:
    """The name of the handler that was left next."""
    return await asyncio.wait_for(wire.service.ended.get(), SOON)


async def test_the_callers_deadline(slow: Wire) -> None:
    began = time.monotonic()
    with pytest.raises(errors.Timeout):
        await slow.stub.Echo(slow.request(), metadata=slow.outside, timeout=0.1)
    assert 0.05 < time.monotonic() - began < SOON
    assert await left(slow) == "Echo"


async def test_the_callers_deadline_of_a_stream(slow: Wire) -> None:
    replies = slow.stub.Repeat(slow.request(), metadata=slow.outside, timeout=0.2)
    assert (await anext(replies)).data.text == "one"
    with pytest.raises(errors.Timeout):
        await anext(replies)
    assert await left(slow) == "Repeat"


async def test_an_rpc_has_a_limit_of_its_own(slow: Wire) -> None:
    with pytest.raises(errors.Timeout):
        await slow.stub.Hurry(slow.request(), metadata=slow.outside)
    assert await left(slow) == "Echo"
    with pytest.raises(errors.Timeout):
        async for _ in slow.stub.HurryRepeat(slow.request(), metadata=slow.outside, timeout=60):
            pass
    assert await left(slow) == "Repeat"


async def test_the_limit_holds_while_the_reader_is_slow(wire: Wire) -> None:
    """The handler is stopped while it waits for room, and the reader is told why."""

    async def answers(request: Any) -> AsyncIterator[Any]:
        while True:
            yield wire.service.reply("x" * 20_000)

    wire.service.answers = answers
    with pytest.raises(errors.Timeout):
        await read(wire.stub.HurryRepeat(wire.request(), metadata=wire.outside), pause=0.005)
    assert await left(wire) == "Repeat"


async def test_a_deadline_that_has_passed_begins_nothing(wire: Wire) -> None:
    with pytest.raises(errors.Timeout):
        await wire.stub.Echo(wire.request(), metadata=wire.outside, timeout=0)
    with pytest.raises(errors.Timeout):
        async for _ in wire.stub.Repeat(wire.request(), metadata=wire.outside, timeout=-1):
            pass
    assert not wire.service.calls


async def test_a_child_gets_what_its_parent_has_left(wire: Wire) -> None:
    left_to: list[float] = []

    async def answer(request: Any) -> Any:
        left_to.append(current().remaining())
        if len(left_to) < 3:
            await asyncio.sleep(0.05)
            child = wire.pb.EchoRequest(data=request.data)
            return await wire.stub.Echo(child, timeout=30)
        return wire.service.reply("deep")

    wire.service.answer = answer
    reply = await wire.stub.Echo(wire.request(), metadata=wire.outside, timeout=1)
    assert reply.data.text == "deep"
    assert left_to[0] <= 1.01  # gRPC rounds a timeout up: to its next hundredth from a second on
    for parent, child in pairwise(left_to):
        assert child <= parent - 0.05 - MARGIN_S + 0.005  # gRPC rounds a timeout up to its next millisecond


async def test_a_parent_hears_of_its_childs_timeout(wire: Wire) -> None:
    heard: list[Exception] = []

    async def answer(request: Any) -> Any:
        if heard:
            return wire.service.reply("never")
        try:
            return await wire.stub.Hurry(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child")))
        except errors.Timeout as error:
            heard.append(error)
            return wire.service.reply("done without it")

    async def dispatch(request: Any) -> Any:
        return await (asyncio.sleep(600) if request.data.text == "child" else answer(request))

    wire.service.answer = dispatch
    reply = await wire.stub.Echo(wire.request(), metadata=wire.outside)
    assert reply.data.text == "done without it"
    assert len(heard) == 1


async def test_a_cancelled_caller_cancels_the_handler(slow: Wire) -> None:
    task = asyncio.ensure_future(slow.stub.Echo(slow.request(), metadata=slow.outside))
    await _begun(slow)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left(slow) == "Echo"


async def test_a_cancelled_reader_cancels_the_handler(slow: Wire) -> None:
    async def read() -> None:
        async for _ in slow.stub.Repeat(slow.request(), metadata=slow.outside):
            pass

    task = asyncio.create_task(read())
    await _begun(slow)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left(slow) == "Repeat"


async def test_a_reader_that_closes_early_cancels_the_handler(slow: Wire) -> None:
    async with aclosing(slow.stub.Repeat(slow.request(), metadata=slow.outside)) as replies:
        await anext(replies)
    assert await left(slow) == "Repeat"


async def test_a_reader_that_just_leaves_cancels_the_handler(slow: Wire) -> None:
    async for _ in slow.stub.Repeat(slow.request(), metadata=slow.outside):
        break
    assert await left(slow) == "Repeat"


async def test_a_reader_that_closes_early_lets_a_waiting_handler_go(wire: Wire) -> None:
    async def answers(request: Any) -> AsyncIterator[Any]:
        while True:
            yield wire.service.reply("x" * 20_000)

    wire.service.answers = answers
    async with aclosing(wire.stub.Repeat(wire.request(), metadata=wire.outside)) as replies:
        await anext(replies)
        await asyncio.sleep(0.1)
    assert await left(wire) == "Repeat"


async def test_a_client_that_goes_away_cancels_the_handler(slow: Wire) -> None:
    if slow.name != SOCKET:
        pytest.skip("a client in the same process cannot go away")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{slow.port}") as channel:
        path = "/salambot.echo.v1.EchoService/"
        send = channel.unary_unary(
            path + "Echo", slow.pb.EchoRequest.SerializeToString, slow.pb.EchoResponse.FromString
        )
        unary = asyncio.ensure_future(send(slow.request(), metadata=slow.outside))
        stream = channel.unary_stream(
            path + "Repeat", slow.pb.EchoRequest.SerializeToString, slow.pb.EchoResponse.FromString
        )(slow.request(), metadata=slow.outside)
        await stream.read()
        await _begun(slow, 2)
    assert {await left(slow), await left(slow)} == {"Echo", "Repeat"}
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await unary


async def _begun(wire: Wire, calls: int = 1) -> None:
    await until(lambda: len(wire.service.calls) >= calls)
