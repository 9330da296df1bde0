"""What searches find, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
from rag_client import Client
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput
from servers.kit.events import FIELD
from servers.kit.inference.triton import TritonInference
from servers.kit.jobs import Jobs
from servers.kit.platform import Platform
from servers.rag.embedding import Embedder
from servers.rag.lexical.statistics import UNKNOWN, Statistics
from servers.rag.lexical.terms import Family, term
from servers.rag.lexical.words import stem
from servers.rag.ranking.ranker import Ranker
from servers.rag.retrieval import Retriever
from servers.rag.standing import Passages
from servers.rag.statistics import Counts

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


async def test_a_question_finds_entries_of_other_languages_and_scripts(client: Client, stranger: Client) -> None:
    entries = {
        "fr": ("LANGUAGE_FR", "## Consulter sa facture\nOuvrez l'application, rubrique Mes factures."),
        "ar": ("LANGUAGE_AR", "## البطاقة الضائعة\nأوقفوا البطاقة من التطبيق ثم اطلبوا بطاقة جديدة."),
        "en": ("LANGUAGE_EN", "## Opening hours\nThe branch is open from nine to six, closed on Sunday."),
    }
    for name, (language, text) in entries.items():
        await client.put(name, text, language=language)
        await stranger.put(name, f"## {name}\nحاجة أخرى.", language=language)
    for query, expected in (
        ("fin n9der nshouf lfactura dyali", "fr"),
        ("da3at liya lcarte", "ar"),
        ("ضاعت ليا لاكارط", "ar"),
        ("fo9ach kat7ellou lagence ?", "en"),
        ("متى تفتح الوكالة؟", "en"),
    ):
        assert (await client.retrieve(query)).ids[0] == expected, query


async def test_what_is_not_valid_now_is_not_found(client: Client) -> None:
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    await client.put("early", BILL, valid_from=future)
    await client.put("late", BILL, valid_until=past)
    await client.put("now", BILL, valid_from=past, valid_until=future)
    assert (await client.retrieve("facture")).ids == ["now"]


async def test_enough_is_found_where_the_nearest_have_expired(client: Client) -> None:
    sections = "\n".join(f"## Voir ma facture {n}\nOuvrez l'application." for n in range(60))
    await client.put("old", sections, valid_until=datetime.now(UTC) - timedelta(hours=1))
    await client.put("new", "## Livraison\nNous livrons en deux jours.")
    assert (await client.retrieve("voir ma facture")).ids == ["new"]


async def test_long_passages_are_reduced_to_a_budget(client: Client) -> None:
    filler = " ".join(f"Phrase numéro {n} sur un tout autre sujet." for n in range(15))
    await client.put("doc", f"## Aide\n{filler} Le remboursement prend dix jours. {filler[:200]}")
    output = await client.retrieve("combien de temps prend le remboursement ?", budget=60)
    assert "Le remboursement prend dix jours." in output.passages[0]
    assert "…" in output.passages[0]
    assert sum(map(len, output.passages)) <= 60
    assert len(output.citations) == len(output.passages)


async def test_without_models_passages_are_found_by_their_words(
    client: Client, stranger: Client, platform: Platform
) -> None:
    await stranger.put("theirs", BILL)
    await client.put("bill", BILL)
    await client.put("hours", "## Horaires\nDe 9 h à 18 h.")
    counts = Counts(platform.postgres, Jobs(platform.postgres, platform.addresses.database), platform.changes)
    down = TritonInference("127.0.0.1:9")
    retriever = Retriever(
        embedder=Embedder(down),
        vectors=platform.vectors,
        read=Passages(platform.postgres).read,
        statistics_of=counts.of,
        ranker=Ranker(down),
    )
    output = await retriever.retrieve(client.tenant, rag_pb2.RetrieveInput(query="بغيت نشوف الفاكتورة"), staff=False)
    assert output.ids == ["bill"]
    assert 0 < output.scores[0] < 1
    await down.close()


async def test_terms_are_counted_by_tenant_after_a_change(client: Client, stranger: Client, platform: Platform) -> None:
    jobs = Jobs(platform.postgres, platform.addresses.database)
    counts = Counts(platform.postgres, jobs, platform.changes)
    assert await counts.of(client.tenant) is UNKNOWN
    await client.put("doc", "\n".join(f"## Atlas {n}\nLa facture numéro {n}." for n in range(12)))
    await counts.count({"tenant": client.tenant})
    known = await _until(lambda: counts.of(client.tenant), lambda found: found.passages == 12)
    atlas = np.array([term(Family.STEM, stem("atlas"))], np.int32)
    assert known.rarity(atlas) < UNKNOWN.rarity(atlas)
    assert (await counts.of(stranger.tenant)).passages == 0


async def _until(ask: Callable[[], Awaitable[Statistics]], done: Callable[[Statistics], bool]) -> Statistics:
    for _ in range(100):
        found = await ask()
        if done(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("statistics did not come")
