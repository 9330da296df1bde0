"""What searches find, and for whom."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from rag_client import Client
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput
from servers.kit.events import FIELD
from servers.kit.platform import Platform

BILL = "## Voir ma facture {#voir-facture}\nOuvrez l'application puis touchez Mes factures."
CHAT = frozenset({options_pb2.SCOPE_CHAT})


async def test_a_passage_comes_with_its_citation(client: Client) -> None:
    await client.put("aide", BILL, title="Aide", url="https://aide.example")
    output = await client.retrieve("comment voir ma facture ?")
    assert output.passages == ["Ouvrez l'application puis touchez Mes factures."]
    assert output.ids == ["aide"]
    assert output.citations == [
        rag_pb2.Citation(id="aide", loc="#voir-facture", title="Voir ma facture", url="https://aide.example")
    ]
    assert output.languages == [envelope_pb2.LANGUAGE_FR]
    assert 0 < output.scores[0] <= 1


async def test_nothing_known_is_nothing_found(client: Client) -> None:
    assert await client.retrieve("facture") == rag_pb2.RetrieveOutput()


async def test_passages_come_best_first_and_as_many_as_asked(client: Client) -> None:
    await client.put("doc", "\n".join(f"## Question numéro {n} {{#q{n}}}\nRéponse {n}." for n in range(60)))
    assert len((await client.retrieve("question numéro 7")).ids) == 5
    output = await client.retrieve("question numéro 7", limit=50)
    assert len(output.ids) == 50
    assert len({citation.loc for citation in output.citations}) == 50
    assert list(output.scores) == sorted(output.scores, reverse=True)
    assert all(0 <= score <= 1 for score in output.scores)


async def test_translations_are_one_subject_shown_in_the_customers_language(client: Client) -> None:
    for language in ("FR", "AR", "DARIJA_ARABIZI"):
        text = f"## Voir ma facture {{#voir-facture}}\nTexte {language}.\n## Payer {{#payer}}\nPayer {language}."
        await client.put(f"aide-{language}", text, language=f"LANGUAGE_{language}", attributes={"topic": "aide"})
    output = await client.retrieve("voir ma facture", language=envelope_pb2.LANGUAGE_AR)
    assert [citation.loc for citation in output.citations] == ["#voir-facture", "#payer"]
    assert output.ids[0] == "aide-AR"
    assert output.languages[0] == envelope_pb2.LANGUAGE_AR
    assert (await client.retrieve("voir ma facture", language=envelope_pb2.LANGUAGE_FR)).ids[0] == "aide-FR"


async def test_documents_without_a_topic_are_subjects_of_their_own(client: Client) -> None:
    await client.put("a", BILL)
    await client.put("b", BILL, language="LANGUAGE_EN")
    output = await client.retrieve("voir ma facture", language=envelope_pb2.LANGUAGE_EN)
    assert output.ids == ["b", "a"], "among equals, the customer's language comes first"


async def test_filters_match_fields_and_attributes(client: Client) -> None:
    await client.put("a", BILL, category="faq", attributes={"city": "Rabat"})
    await client.put("b", BILL, category="cgv", language="LANGUAGE_AR", attributes={"city": "Fès"})

    async def found(**filters: str) -> set[str]:
        return set((await client.retrieve("facture", filters=filters)).ids)

    assert await found() == {"a", "b"}
    assert await found(category="faq") == {"a"}
    assert await found(language="ar") == {"b"}
    assert await found(document="b") == {"b"}
    assert await found(city="Rabat") == {"a"}
    assert await found(city="Fès", category="cgv", audience="public") == {"b"}
    assert await found(city="Fès", category="faq") == set()
    assert await found(country="Maroc") == set()
    assert await found(text="x") == set()


@pytest.mark.parametrize(("name", "value"), [("language", "french"), ("audience", "everyone")])
async def test_a_filter_that_cannot_be_is_refused(client: Client, name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await client.retrieve("facture", filters={name: value})
    assert refusal.value.violations[0].field == f'data.filters["{name}"]'


@pytest.mark.parametrize(
    "fields", [{"query": ""}, {"query": " \n"}, {"query": "x", "limit": 51}, {"query": "x" * 2001}]
)
async def test_bad_questions_are_refused(client: Client, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        await client.retrieve(**fields)  # type: ignore[arg-type]


async def test_internal_documents_are_for_staff(client: Client) -> None:
    await client.put("secret", BILL, audience="AUDIENCE_INTERNAL")
    await client.put("open", BILL)
    for channel in (envelope_pb2.CHANNEL_WEBCHAT, envelope_pb2.CHANNEL_FACEBOOK, envelope_pb2.CHANNEL_EMAIL):
        customer = replace(client, channel=channel)
        assert (await customer.retrieve("facture")).ids == ["open"]
        assert not (await customer.retrieve("facture", filters={"audience": "internal"})).ids
        assert not (await customer.retrieve("facture", filters={"document": "secret"})).ids
    for channel in (envelope_pb2.CHANNEL_ADMIN, envelope_pb2.CHANNEL_CHROME, envelope_pb2.CHANNEL_SYSTEM):
        staff = replace(client, channel=channel)
        assert set((await staff.retrieve("facture")).ids) == {"secret", "open"}
        assert (await staff.retrieve("facture", filters={"audience": "internal"})).ids == ["secret"]
        pretender = replace(staff, scopes=CHAT)
        assert (await pretender.retrieve("facture")).ids == ["open"]


async def test_a_document_made_internal_is_gone_for_customers_at_once(client: Client) -> None:
    customer = replace(client, channel=envelope_pb2.CHANNEL_WEBCHAT)
    await client.put("doc", BILL)
    assert (await customer.retrieve("facture")).ids == ["doc"]
    await client.put("doc", BILL, audience="AUDIENCE_INTERNAL")
    assert not (await customer.retrieve("facture")).ids


async def test_questions_of_signs_alone_are_answered(client: Client) -> None:
    await client.put("doc", BILL)
    for query in ("...", "🙂", "؟", "x" * 2000):
        assert len((await client.retrieve(query)).ids) == 1


async def test_what_was_found_is_told_as_an_event(client: Client, platform: Platform) -> None:
    await client.put("doc", BILL)
    await client.retrieve("facture")
    await platform.events.flush()
    entries = await platform.cache.redis.xrange(f"salam:{client.tenant}:events")
    (event,) = (orjson.loads(fields[FIELD.encode()]) for _, fields in entries)
    assert event["type"] == "rag.retrieved"
    assert event["data"]["count"] == 1
    assert "facture" not in str(event)
