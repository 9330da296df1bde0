"""The way of a message: routes, steps, what is stored, and what happens without one of the components."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import nlu_pb2
from salambot.orchestrator.v1 import orchestrator_pb2

from servers.kit.errors import InvalidInput, NotFound, Timeout, UpstreamError
from tests.orchestrator.conftest import FR, Orchestrator


async def test_an_answer_stands_on_the_knowledge(orchestrator: Orchestrator) -> None:
    reply = await orchestrator.send()
    assert reply.reply_text == "Vos factures sont dans l'espace client."
    assert [(citation.id, citation.loc) for citation in reply.citations] == [("kb_0", "#section-0")]
    assert (reply.intent, reply.language, reply.reply_language, reply.model_used) == (
        "billing_view",
        FR,
        FR,
        "extractive",
    )
    assert (reply.sentiment, reply.urgency) == (envelope_pb2.SENTIMENT_NEUTRAL, envelope_pb2.URGENCY_LOW)
    assert reply.route == orchestrator_pb2.ROUTE_KNOWLEDGE
    assert reply.confidence == pytest.approx(0.8)
    assert reply.intent_confidence == pytest.approx(0.9)
    assert not reply.duplicate
    assert not reply.degraded
    steps = (
        reply.timings.load_ms,
        reply.timings.nlu_ms,
        reply.timings.rag_ms,
        reply.timings.llm_ms,
        reply.timings.store_ms,
    )
    assert all(step > 0 for step in steps)
    assert reply.timings.total_ms >= max(steps)


async def test_steps_of_a_stream(orchestrator: Orchestrator) -> None:
    orchestrator.rag.passages = [("Une phrase. Deux phrases.", 0.9)]
    events = [reply.data async for reply in orchestrator.stream()]
    assert [event.WhichOneof("event") for event in events] == ["analysis", "citations", "delta", "delta", "reply"]
    assert "".join(event.delta for event in events) == "Une phrase. Deux phrases."
    assert events[-1].reply.reply_text == "Une phrase. Deux phrases."
    (turn,) = (await orchestrator.turns(events[-1].reply.conversation_id)).turns
    assert turn.id == events[-1].reply.turn_id


@pytest.mark.parametrize("intent", ["greeting", "thanks", "goodbye", "praise", "bot_identity"])
async def test_small_talk_looks_nothing_up(orchestrator: Orchestrator, intent: str) -> None:
    orchestrator.nlu.analysis.intent = intent
    reply = await orchestrator.send()
    assert reply.route == orchestrator_pb2.ROUTE_SMALL_TALK
    assert not orchestrator.rag.asked
    assert not reply.citations
    assert reply.timings.rag_ms == 0


@pytest.mark.parametrize(
    ("intent", "passages", "said", "route"),
    [
        ("human_agent", [], "conseiller. Il reprendra", orchestrator_pb2.ROUTE_PERSON),
        ("billing_view", [], "pas trouvé", orchestrator_pb2.ROUTE_PERSON),
        ("billing_view", [("Autre chose.", 0.49)], "pas trouvé", orchestrator_pb2.ROUTE_PERSON),
        ("out_of_scope", [("Autre chose.", 0.2)], "nos produits et services", orchestrator_pb2.ROUTE_SMALL_TALK),
    ],
)
async def test_where_nothing_stands_behind_it_nothing_is_made_up(
    orchestrator: Orchestrator, intent: str, passages: list[tuple[str, float]], said: str, route: int
) -> None:
    orchestrator.nlu.analysis.intent, orchestrator.rag.passages = intent, passages
    reply = await orchestrator.send()
    assert said in reply.reply_text
    assert (reply.route, reply.model_used) == (route, "extractive")
    assert not reply.citations


async def test_irrelevant_passages_are_left_out(orchestrator: Orchestrator) -> None:
    orchestrator.rag.passages = [("Sans rapport.", 0.3), ("La réponse.", 0.6), ("Sans rapport.", 0.1)]
    reply = await orchestrator.send()
    assert reply.reply_text == "La réponse."
    assert [citation.id for citation in reply.citations] == ["kb_1"]


@pytest.mark.parametrize("error", [UpstreamError("the vector store is away"), Timeout("too slow")])
async def test_without_the_knowledge_a_person_is_offered(orchestrator: Orchestrator, error: Exception) -> None:
    orchestrator.rag.error = error
    reply = await orchestrator.send(message_id="once")
    assert "Je ne peux pas consulter" in reply.reply_text
    assert reply.degraded
    assert reply.route == orchestrator_pb2.ROUTE_PERSON
    assert len((await orchestrator.turns(reply.conversation_id)).turns) == 1


async def test_without_the_reader_nothing_is_stored(orchestrator: Orchestrator) -> None:
    orchestrator.nlu.error = UpstreamError("away")
    with pytest.raises(UpstreamError):
        await orchestrator.send(message_id="once")
    orchestrator.nlu.error = None
    assert not (await orchestrator.conversations()).conversations
    assert not (await orchestrator.send(message_id="once")).duplicate


async def test_the_same_message_again_gets_the_same_reply(orchestrator: Orchestrator) -> None:
    first = await orchestrator.send(message_id="once", user_id="psid")
    orchestrator.rag.passages = [("Autre chose.", 0.9)]
    again = await orchestrator.send(message_id="once", user_id="psid")
    assert again.duplicate
    assert (again.reply_text, again.turn_id, again.conversation_id) == (
        first.reply_text,
        first.turn_id,
        first.conversation_id,
    )
    events = [reply.data async for reply in orchestrator.stream(message_id="once", user_id="psid")]
    assert [event.WhichOneof("event") for event in events] == ["reply"]
    (conversation,) = (await orchestrator.conversations()).conversations
    assert conversation.turn_count == 1


async def test_the_same_message_many_times_at_once_has_one_turn(orchestrator: Orchestrator) -> None:
    replies = await asyncio.gather(*(orchestrator.send(message_id="once", user_id="psid") for _ in range(8)))
    assert len({(reply.turn_id, reply.conversation_id) for reply in replies}) == 1
    assert [reply.duplicate for reply in replies].count(False) == 1
    (conversation,) = (await orchestrator.conversations()).conversations
    assert conversation.turn_count == 1


async def test_first_messages_at_once_make_one_conversation(orchestrator: Orchestrator) -> None:
    replies = await asyncio.gather(*(orchestrator.send(message_id=f"m{n}", user_id="psid") for n in range(8)))
    (kept,) = {reply.conversation_id for reply in replies}
    (conversation,) = (await orchestrator.conversations()).conversations
    assert (conversation.id, conversation.turn_count) == (kept, 8)
    turns = (await orchestrator.turns(kept)).turns
    assert {turn.reply.conversation_id for turn in turns} == {kept}
    for n in range(8):
        again = await orchestrator.send(message_id=f"m{n}", user_id="psid")
        assert (again.duplicate, again.conversation_id) == (True, kept)


async def test_a_customers_messages_are_one_conversation(orchestrator: Orchestrator) -> None:
    first = await orchestrator.send("Bonjour", user_id="psid")
    second = await orchestrator.send("Et ma facture ?", user_id="psid")
    third = await orchestrator.send("Merci", conversation_id=first.conversation_id)
    assert {second.conversation_id, third.conversation_id} == {first.conversation_id}
    other = await orchestrator.send("Bonjour", user_id="someone else")
    alone = [(await orchestrator.send("Bonjour")).conversation_id for _ in range(2)]
    assert len({first.conversation_id, other.conversation_id, *alone}) == 4
    turns = (await orchestrator.turns(first.conversation_id)).turns
    assert [turn.user_text for turn in turns] == ["Bonjour", "Et ma facture ?", "Merci"]


async def test_a_conversation_that_there_is_not(orchestrator: Orchestrator) -> None:
    with pytest.raises(NotFound):
        await orchestrator.send(conversation_id="conv_unknown")
    with pytest.raises(NotFound):
        await orchestrator.turns("conv_unknown")


async def test_what_is_stored_is_masked(orchestrator: Orchestrator) -> None:
    orchestrator.nlu.analysis.entities.append(nlu_pb2.Entity(type="phone", value="0612345678", personal=True))
    orchestrator.nlu.analysis.entities.append(nlu_pb2.Entity(type="order_number", value="CMD-2024-001"))
    orchestrator.nlu.masked = "appelez [phone]"
    orchestrator.rag.passages = [("Écrivez à agence@atlas.example.", 0.9)]
    reply = await orchestrator.send("appelez 0612345678", user_id="0612345678")
    assert "agence@atlas.example" in reply.reply_text  # the customer reads it
    assert reply.entities[0].value == "0612345678"
    (turn,) = (await orchestrator.turns(reply.conversation_id)).turns
    (conversation,) = (await orchestrator.conversations()).conversations
    for stored in (str(turn), str(conversation)):
        assert "0612345678" not in stored
    # The tenant's own address is for everybody, and a message sent again gets the reply it had.
    assert "agence@atlas.example" in turn.reply.reply_text
    assert turn.user_text == "appelez [phone]"
    assert [entity.value for entity in turn.reply.entities] == ["[phone]", "CMD-2024-001"]


async def test_leaving_a_stream_early_stores_nothing(orchestrator: Orchestrator) -> None:
    async with aclosing(orchestrator.stream(message_id="once", user_id="psid")) as events:
        await anext(events)
        orchestrator.rag.error = UpstreamError("unused")
    await asyncio.sleep(0.1)
    again = await orchestrator.send(message_id="once", user_id="psid")
    conversations = (await orchestrator.conversations()).conversations
    assert len(conversations) == 1
    assert conversations[0].turn_count == 1
    assert again.conversation_id == conversations[0].id


@pytest.mark.parametrize(
    ("text", "field"), [("", "data.user_text"), ("   \n", "data.user_text"), ("é" * 2001, "data.user_text")]
)
async def test_texts_that_are_refused(orchestrator: Orchestrator, text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await orchestrator.send(text)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert not orchestrator.nlu.texts


async def test_texts_that_are_taken(orchestrator: Orchestrator) -> None:
    for text in ("é" * 2000, "👍", "\u202eسلام", "a\u0301"):
        assert (await orchestrator.send(text)).turn_id


async def test_attachments_together(orchestrator: Orchestrator) -> None:
    half = orchestrator_pb2.Attachment(url="https://x.example/a", size_bytes=11 * 1024 * 1024)
    assert await orchestrator.send(attachments=[half])
    with pytest.raises(InvalidInput) as caught:
        await orchestrator.send(attachments=[half, half])
    assert [violation.field for violation in caught.value.violations] == ["data.attachments"]


async def test_a_deadline_leaves_nothing_half_written(orchestrator: Orchestrator) -> None:
    orchestrator.rag.seconds, orchestrator.timeout = 600, 0.2
    with pytest.raises(Timeout):
        await orchestrator.send()
    assert not (await orchestrator.conversations()).conversations
