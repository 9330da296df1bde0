"""Lists of conversations and turns: pages, other tenants, and what is forgotten."""

from __future__ import annotations

import asyncpg
import pytest
from salambot.common.v1 import envelope_pb2

from servers.kit.errors import InvalidInput, NotFound
from servers.kit.platform import Platform
from servers.orchestrator import retention
from servers.orchestrator.retention import Retention
from servers.orchestrator.store import Store
from tests.orchestrator.conftest import Orchestrator


async def test_pages_of_conversations(orchestrator: Orchestrator) -> None:
    made = [(await orchestrator.send(user_id=f"psid{number}")).conversation_id for number in range(7)]
    found, token = [], ""
    for expected in (3, 3, 1):
        page = await orchestrator.conversations(page_size=3, page_token=token)
        assert len(page.conversations) == expected
        found += [conversation.id for conversation in page.conversations]
        token = page.next_page_token
    assert not token
    assert found == made[::-1]


async def test_pages_of_turns(orchestrator: Orchestrator) -> None:
    sent = [await orchestrator.send(f"message {number}", user_id="psid") for number in range(6)]
    found, token = [], ""
    for expected in (3, 3):
        page = await orchestrator.turns(sent[0].conversation_id, page_size=3, page_token=token)
        assert len(page.turns) == expected
        found += [turn.id for turn in page.turns]
        token = page.next_page_token
    assert not token
    assert found == [reply.turn_id for reply in sent]
    assert page.turns[0].reply.reply_text == sent[3].reply_text
    assert page.turns[0].created_at.ToDatetime().year >= 2024


@pytest.mark.parametrize("token", ["nonsense", "e30=", "WyJhIiwiYiJd"])
async def test_a_page_token_that_is_not_ours(orchestrator: Orchestrator, token: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await orchestrator.conversations(page_token=token)
    assert [violation.field for violation in caught.value.violations] == ["data.page_token"]


async def test_a_conversation_as_it_is_listed(orchestrator: Orchestrator) -> None:
    reply = await orchestrator.send(user_id="psid")
    (conversation,) = (await orchestrator.conversations()).conversations
    assert conversation.id == reply.conversation_id
    assert conversation.channel == envelope_pb2.CHANNEL_FACEBOOK
    assert len(conversation.user_id) == 32
    assert conversation.language == envelope_pb2.LANGUAGE_FR
    assert conversation.created_at.seconds <= conversation.updated_at.seconds


async def test_another_tenant_sees_nothing(orchestrator: Orchestrator, base_platform: Platform) -> None:
    reply = await orchestrator.send(message_id="once", user_id="psid")
    await base_platform.tenants.put("stranger", name="S", locale="fr-MA", settings={})
    store = Store(base_platform.postgres)
    assert await store.conversations("stranger", 10, None) == []
    with pytest.raises(NotFound):
        await store.turns("stranger", reply.conversation_id, 10, "")
    with pytest.raises(NotFound):
        await store.load("stranger", 1, "once", reply.conversation_id, None)
    known = await store.load("stranger", 1, "once", "", None)
    assert (known.reply, known.conversation, list(known.turns)) == (None, None, [])
    assert await store.purge("stranger", 0, 100) == 0
    assert len((await orchestrator.conversations()).conversations) == 1


async def test_turns_are_forgotten_when_their_time_has_passed(
    orchestrator: Orchestrator, base_platform: Platform, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    old = [await orchestrator.send(user_id="old") for _ in range(5)]
    mixed = [await orchestrator.send(user_id="mixed") for _ in range(2)]
    owner = await asyncpg.connect(owner_url)
    await owner.execute(
        "UPDATE turns SET created_at = now() - interval '40 days' WHERE id = ANY ($1)",
        [reply.turn_id for reply in (*old, mixed[0])],
    )
    await owner.close()
    purging = Retention(base_platform.tenants, orchestrator.store, 90)
    await purging.purge({})
    assert len((await orchestrator.conversations()).conversations) == 2  # 90 days, where the tenant does not say
    settings = {"retention_days": 1}  # no less than 30
    await base_platform.tenants.put(orchestrator.tenant, name="A", locale="fr-MA", settings=settings)
    await purging.purge({})
    (left,) = (await orchestrator.conversations()).conversations
    assert left.id == mixed[0].conversation_id
    assert [turn.id for turn in (await orchestrator.turns(left.id)).turns] == [mixed[1].turn_id]


async def test_the_purge_is_done_every_night(orchestrator: Orchestrator) -> None:
    assert orchestrator.jobs._tasks[retention.JOB].cron == retention.NIGHTLY
