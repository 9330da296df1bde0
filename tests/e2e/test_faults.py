"""Each thing behind an installation dies under it: what customers see, and that it recovers by itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.conftest import Installation, message

pytestmark = pytest.mark.xdist_group("e2e")

SOON = 60.0

IN_EVERY_LANGUAGE = [
    ("Bonjour, je n'ai toujours pas reçu mon colis, mon numéro est le 0612345678", "fr"),
    ("I still have not received my parcel, my number is 0612345678", "en"),
    ("لم أستلم طردي بعد، ورقم هاتفي هو 0612345678", "ar"),
    ("salam mazal ma wslatnich lcommande dyali, nmrti 0612345678", "darija_arabizi"),
    ("مازال ما وصلاتنيش الكوموند ديالي، نمرتي 0612345678", "darija_arabic"),
]


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


async def test_without_triton_rules_read_and_words_find(salambot: Installation) -> None:
    if salambot.process.platform.addresses.triton is None:
        pytest.skip(f"no Triton here: {salambot.process.platform.addresses.without_triton}")
    salambot.kill("tritonserver")
    data = await salambot.say("Bonjour, où voir ma facture ?")
    assert (data["degraded"], data["language"], data["route"]) == (True, "fr", "knowledge")
    assert data["citations"][0]["loc"] == "#voir-facture"
    data = await salambot.say("Vendez-vous des chameaux bleus ?")
    assert (data["degraded"], data["language"], data["route"]) == (True, "fr", "person")
    assert "conseiller" in data["reply_text"]
    for text, language in IN_EVERY_LANGUAGE:
        read = (await salambot.post("/v1/nlu/analyze", {**message(""), "data": {"text": text}})).json()["data"]
        assert (read["degraded"], read["model_version"], read["language"]) == (True, "", language)
        assert [entity["type"] for entity in read["entities"]] == ["phone"]
        assert "[phone]" in read["masked_text"]
    await _well_again(salambot)


async def test_without_redis_messages_are_answered(salambot: Installation) -> None:
    salambot.kill("redis-server")
    data = await salambot.say("Comment payer ma facture ?")
    assert data["citations"]
    await _well_again(salambot)
    cache, deadline = salambot.process.platform.cache, time.monotonic() + SOON
    while await cache.get("demo", "again") is None:
        assert time.monotonic() < deadline
        await cache.set("demo", "again", b"yes", ttl_s=60)
        await asyncio.sleep(0.1)


async def test_a_message_that_cannot_be_stored_is_not_answered(salambot: Installation) -> None:
    """Messages sent while Postgres dies are answered and stored, or refused and not: each can be sent again."""
    asked = [message("Comment payer ma facture ?") for _ in range(48)]
    sending = [asyncio.create_task(salambot.post("/v1/messages", body)) for body in asked[:24]]
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    salambot.kill("postgres")
    sending += [asyncio.create_task(salambot.post("/v1/messages", body)) for body in asked[24:]]
    first = await asyncio.gather(*sending)
    refused = [response for response in first if response.status_code != 200]
    assert refused
    for response in refused:
        assert response.status_code == 502, response.text
        assert response.json()["error"]["code"] == "upstream_error"
    await _well_again(salambot)
    for body, response in zip(asked, first, strict=True):
        again = await salambot.post("/v1/messages", body)
        assert again.status_code == 200, again.text
        if response.status_code == 200:
            assert again.json()["data"]["duplicate"] is True
            assert again.json()["data"]["turn_id"] == response.json()["data"]["turn_id"]
