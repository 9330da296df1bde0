"""Each thing behind an installation dies under it: what customers see, and that it recovers by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import httpx
import pytest

from tests.e2e.conftest import Installation, message

pytestmark = pytest.mark.xdist_group("e2e")

SOON = 60.0


async def _well_again(salambot: Installation) -> None:
    """Waits until a message is answered from the knowledge again, with nothing missing."""
    deadline = time.monotonic() + SOON
    while True:
        response = await salambot.post("/v1/messages", message("Comment payer ma facture ?"))
        if response.status_code == 200:
            data = response.json()["data"]
            if data["citations"] and not data["degraded"]:
                return
        assert time.monotonic() < deadline, response.text
        await asyncio.sleep(0.2)


async def test_without_triton_rules_read_and_a_person_is_offered(salambot: Installation) -> None:
    if salambot.process.platform.addresses.triton is None:
        pytest.skip(f"no Triton here: {salambot.process.platform.addresses.without_triton}")
    salambot.kill("tritonserver")
    data = await salambot.say("Bonjour, où est ma facture ?")
    assert data["degraded"] is True
    assert data["language"] == "fr"
    assert data["route"] == "person"
    assert "conseiller" in data["reply_text"]
    await _well_again(salambot)


async def test_without_redis_messages_are_answered(salambot: Installation) -> None:
    salambot.kill("redis-server")
    data = await salambot.say("Comment payer ma facture ?")
    assert data["citations"]
    await _well_again(salambot)


async def test_a_message_that_cannot_be_stored_is_not_answered(salambot: Installation) -> None:
    asked = message("Comment payer ma facture ?")
    os.kill(salambot.pid("postgres"), signal.SIGKILL)
    refused: httpx.Response = await salambot.post("/v1/messages", asked)
    assert refused.status_code == 502, refused.text
    assert refused.json()["error"]["code"] == "upstream_error"
    await _well_again(salambot)
    answered = await salambot.post("/v1/messages", asked)
    assert answered.status_code == 200
    assert answered.json()["data"]["duplicate"] is False
