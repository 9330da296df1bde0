"""The gateway on a socket: stopping, and starting where something else listens."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.server import serving
from tests.gateway.peer import Peer


async def test_a_running_request_is_finished_before_the_server_stops(
    app: ASGIApp, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["SendMessage"].append(0.5)
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        async with serving(app, "127.0.0.1", 0, drain_seconds=5) as port:
            url = f"http://127.0.0.1:{port}/v1/messages"
            asking = asyncio.ensure_future(client.post(url, json={**envelope, "data": {"user_text": "salam"}}))
            await asyncio.wait_for(answers.asked.wait(), 5)
        assert (await asking).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.post(url, json={})


async def test_a_stream_does_not_keep_the_server_from_stopping(
    app: ASGIApp, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["StreamMessage"].append([30.0])
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        async with serving(app, "127.0.0.1", 0, drain_seconds=1) as port:
            url = f"http://127.0.0.1:{port}/v1/messages:stream"
            asking = asyncio.ensure_future(client.post(url, json={**envelope, "data": {"user_text": "salam"}}))
            await asyncio.wait_for(answers.asked.wait(), 5)
        await asyncio.wait_for(answers.cancelled.wait(), 5)
        answer = await asking
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")


async def test_an_address_that_is_taken(app: ASGIApp) -> None:
    async with serving(app, "127.0.0.1", 0, drain_seconds=1) as port:
        with pytest.raises(OSError, match="in use"):
            async with serving(app, "127.0.0.1", port, drain_seconds=1):
                pass
