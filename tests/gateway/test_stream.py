"""Server-streaming RPCs as server-sent events, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from salambot.common.v1 import envelope_pb2
from salambot.orchestrator.v1 import orchestrator_service_pb2

from servers.kit.errors import RateLimited, UpstreamError
from tests.gateway.peer import Peer

PATH = "/v1/messages:stream"
Event = tuple[str, dict[str, Any]]


def delta(text: str) -> orchestrator_service_pb2.StreamMessageResponse:
    """One step with a piece of the reply."""
    step = orchestrator_service_pb2.StreamMessageResponse()
    step.data.delta = text
    return step


def steps() -> list[Any]:
    """An answer in all its steps."""
    analysis = orchestrator_service_pb2.StreamMessageResponse()
    analysis.data.analysis.language = envelope_pb2.LANGUAGE_DARIJA_ARABIZI
    reply = orchestrator_service_pb2.StreamMessageResponse()
    reply.data.reply.reply_text = "line one\nline two"
    return [analysis, delta("line one\n"), delta("line two"), reply]


async def frames(response: httpx.Response) -> AsyncIterator[str]:
    """The blocks of an event stream, as they arrive."""
    pending = ""
    async for text in response.aiter_text():
        pending += text
        *whole, pending = pending.split("\n\n")
        for block in whole:
            yield block


def event(block: str) -> Event:
    """Name and data of one block."""
    name, data = block.split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_each_reply_is_an_event_named_after_its_member(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append(steps())

    async with client.stream("POST", PATH, json={**envelope, "data": {"user_text": "salam"}}) as response:
        events = [event(block) async for block in frames(response)]

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert [name for name, _ in events] == ["analysis", "delta", "delta", "reply"]
    assert events[0][1]["data"]["analysis"]["language"] == "darija_arabizi"
    assert events[1][1]["data"] == {"delta": "line one\n"}
    assert events[3][1]["data"]["reply"]["reply_text"] == "line one\nline two"
    assert events[3][1]["message_id"] == "msg_1"


async def test_events_are_sent_when_they_happen_with_comments_in_quiet_times(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([delta("a"), 0.7, delta("b")])

    async with client.stream("POST", PATH, json={**envelope, "data": {"user_text": "salam"}}) as response:
        blocks = [block async for block in frames(response)]

    comments = [block for block in blocks if block == ": keep-alive"]
    assert len(comments) >= 2
    assert event(blocks[0])[1]["data"] == {"delta": "a"}
    assert event(blocks[-1])[1]["data"] == {"delta": "b"}


async def test_an_error_before_the_first_event_is_an_http_error(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([RateLimited("slow down", retry_after=3)])

    response = await client.post(PATH, json={**envelope, "data": {"user_text": "salam"}})

    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert response.json()["error"]["code"] == "rate_limited"


async def test_an_error_after_the_first_event_ends_the_stream(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([delta("a"), UpstreamError("the model is gone")])

    async with client.stream("POST", PATH, json={**envelope, "data": {"user_text": "salam"}}) as response:
        events = [event(block) async for block in frames(response)]

    assert response.status_code == 200
    assert [name for name, _ in events] == ["delta", "error"]
    assert events[1][1]["error"] == {"code": "upstream_error", "message": "the model is gone", "details": []}
    assert events[1][1]["correlation_id"] == "corr_1"


async def test_a_stream_without_events(client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]) -> None:
    answers.replies["StreamMessage"].append([])
    response = await client.post(PATH, json={**envelope, "data": {"user_text": "salam"}})
    assert (response.status_code, response.text) == (200, "")


async def test_bad_input_never_begins_a_stream(client: httpx.AsyncClient, envelope: dict[str, object]) -> None:
    response = await client.post(PATH, json={**envelope, "data": {"user_text": None, "x": 1}})
    assert response.status_code == 400


async def test_a_client_that_goes_cancels_the_call(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([delta("a"), 20.0, delta("b")])

    async with client.stream("POST", PATH, json={**envelope, "data": {"user_text": "salam"}}) as response:
        async for _ in frames(response):
            break

    await asyncio.wait_for(answers.cancelled.wait(), 5)


async def test_a_client_that_goes_before_the_first_event_cancels_the_call(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([20.0, delta("b")])
    asking = asyncio.ensure_future(client.post(PATH, json={**envelope, "data": {"user_text": "salam"}}))
    await asyncio.wait_for(answers.asked.wait(), 5)

    asking.cancel()

    await asyncio.wait_for(answers.cancelled.wait(), 5)
