"""NLU as its clients meet it, over gRPC and REST: what a tenant taught and settled counts for it at once, for nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from salambot.common.v1 import envelope_pb2 as common
from salambot.nlu.v1 import entity_types_pb2, nlu_pb2, nlu_service_pb2

from servers.kit.platform import Platform
from tests.awaiting import read, until
from tests.nlu.installation import Client, Unreachable, process
from tests.nlu.intents.wordings import wordings
from tests.nlu.wire import Analyze

PARKING = "wach kayn chi parking 9rib men restaurant ?"
SPANISH = "¿Dónde está mi pedido? Lo hice hace tres semanas y no ha llegado"
MIXED = "salam 3afak bghit n3ref fin wslat lcommande dyali, can you please tell me when it will arrive"

Named = list[tuple[str, str, str, bool]]


def named(text: str, analysis: nlu_pb2.Analysis) -> Named:
    """Type, value, what the customer typed, and whether it is personal."""
    return [(item.type, item.value, text[item.start : item.end], item.personal) for item in analysis.entities]


def entity_type(name: str, *values: str, **fields: object) -> entity_types_pb2.EntityType:
    listed = [entity_types_pb2.EntityValue(value=value) for value in values]
    return entity_types_pb2.EntityType(name=name, values=listed, **fields)


async def settle(client: Client, **settings: object) -> None:
    await client.process.platform.tenants.put(client.tenant, name="Dar Zitoun", locale="fr-MA", settings=settings)


async def test_a_tenant_s_entity_types_are_found_from_the_next_message_on(
    analyze: Analyze, client: Client, stranger: Client, platform: Platform
) -> None:
    text = "fin wslat lbox 4g dyali, contrat CT-774120 ?"
    built_in: Named = [("account_number", "CT-774120", "CT-774120", False)]
    assert named(text, await analyze(client, text)) == built_in
    async with process(platform, working=False) as other:
        elsewhere = client.at(other)
        assert named(text, await elsewhere.analyze(text)) == built_in
        await client.call("PutEntityType", entity_type=entity_type("product", "Box 4G"))
        await client.call("PutEntityType", entity_type=entity_type("contract", patterns=["CT-[0-9]+"], personal=True))
        told = await analyze(client, text)
        assert named(text, told) == [
            ("product", "Box 4G", "box 4g", False),
            ("contract", "CT-774120", "CT-774120", True),
        ]
        assert told.masked_text == "fin wslat lbox 4g dyali, contrat [contract] ?"

        async def found_there() -> bool:
            return await elsewhere.analyze(text) == told

        async with asyncio.timeout(1):
            await until(found_there)
    theirs = await analyze(stranger, text)
    assert named(text, theirs) == built_in
    assert theirs.masked_text == text
    for name in ("product", "contract"):
        await client.call("DeleteEntityType", name=name)
    assert named(text, await analyze(client, text)) == built_in


async def test_a_published_version_reads_the_next_message_also_one_that_was_read_before(
    analyze: Analyze, client: Client, stranger: Client, platform: Platform
) -> None:
    built_in = await analyze(client, PARKING)
    assert built_in.intents_version == ""
    assert built_in.intent != "parking"
    await client.put(wordings())
    await client.train()
    await client.train()
    async with process(platform, working=False) as other:
        elsewhere = client.at(other)
        for version in ("v1", "v2", "v1"):
            await client.publish(version)
            for _ in range(2):
                told = await analyze(client, PARKING)
                assert (told.intent, told.intents_version) == ("parking", version)

            async def read_there(version: str) -> bool:
                return (await elsewhere.analyze(PARKING)).intents_version == version

            async with asyncio.timeout(1):
                await until(partial(read_there, version))
    for text, intent in (
        ("salam 3likom", "greeting"),
        ("merci", "thanks"),
        ("bghit nhder m3a chi wahed", "human_agent"),
    ):
        told = await analyze(client, text)
        assert (told.intent, told.intents_version) == (intent, "")
    assert await analyze(stranger, PARKING) == built_in
    await client.roll_back(unpublish=True)
    assert await analyze(client, PARKING) == built_in


async def test_a_language_that_is_not_served_is_what_the_tenant_says(
    analyze: Analyze, client: Client, stranger: Client
) -> None:
    nearest = await analyze(client, SPANISH)
    assert nearest.unknown_language >= 0.5
    assert nearest.language in {common.LANGUAGE_FR, common.LANGUAGE_EN}
    assert nearest.language_confidence < 0.5
    assert not nearest.spans
    await settle(client, unknown_language="darija_arabizi")
    told = await analyze(client, SPANISH)
    assert (told.language, told.unknown_language) == (common.LANGUAGE_DARIJA_ARABIZI, nearest.unknown_language)
    assert (await analyze(client, MIXED)).unknown_language < 0.5
    assert await analyze(stranger, SPANISH) == nearest
    await settle(client, unknown_language="klingon")
    assert await analyze(client, SPANISH) == nearest


async def test_personal_data_are_masked_as_the_tenant_wants(analyze: Analyze, client: Client, stranger: Client) -> None:
    text = "smiti Karim Alami, nmrti 0612345678"
    found = [("person", "Karim Alami", "Karim Alami", True), ("phone", "+212612345678", "0612345678", True)]
    masked = "smiti [person], nmrti [phone]"
    told = await analyze(client, text)
    assert (named(text, told), told.masked_text) == (found, masked)

    await settle(client, mask_names=False)
    told = await analyze(client, text)
    assert told.masked_text == "smiti Karim Alami, nmrti [phone]"
    assert named(text, told) == [(*found[0][:3], False), found[1]]

    await settle(client, masking="hash")
    hashed = (await analyze(client, text)).masked_text
    assert hashed.startswith("smiti [person:")
    assert "Karim" not in hashed
    assert "0612345678" not in hashed
    await settle(stranger, masking="hash")
    assert (await analyze(stranger, text)).masked_text != hashed, "hashes of two tenants never agree"

    await settle(client, masking="keep")
    assert (await analyze(client, text)).masked_text == text


async def test_a_message_in_two_languages_is_told_by_its_stretches(analyze: Analyze, client: Client) -> None:
    for _ in range(2):  # the second time from the cache
        told = await analyze(client, MIXED)
        assert [(span.language, MIXED[span.start : span.end]) for span in told.spans] == [
            (common.LANGUAGE_DARIJA_ARABIZI, "salam 3afak bghit n3ref fin wslat lcommande dyali,"),
            (common.LANGUAGE_EN, "can you please tell me when it will arrive"),
        ]
        assert all(0.5 < span.confidence <= 1 for span in told.spans)
    assert not (await analyze(client, "salam 3afak bghit n3ref fin wslat lcommande dyali")).spans


async def test_a_stream_and_a_batch_read_as_one_by_one(client: Client, stranger: Client) -> None:
    await client.call("PutEntityType", entity_type=entity_type("product", "Box 4G"))
    texts = [MIXED, SPANISH, "fin lbox 4g ?", "smiti Karim Alami", "😡", *(f"commande CMD-{n:04d}" for n in range(150))]
    texts += texts[:5]
    inputs = [nlu_pb2.AnalyzeInput(text=text) for text in texts]
    for one in (client, stranger):

        async def requests(one: Client = one):  # type: ignore[no-untyped-def]
            for number, message in enumerate(inputs):
                envelope = one.envelope() if number == 0 else None
                yield nlu_service_pb2.AnalyzeStreamRequest(envelope=envelope, data=message)

        streamed = [
            reply.data for reply in await read(one.process.stub.AnalyzeStream(requests(), metadata=one.metadata))
        ]
        batch = list((await one.call("AnalyzeBatch", messages=inputs)).analyses)
        alone = [await one.analyze(text) for text in texts]
        for text, *analyses in zip(texts, streamed, batch, alone, strict=True):
            first = analyses[0]
            for other in analyses[1:]:
                assert other.confidence == pytest.approx(first.confidence, abs=1e-4), text
                assert (other.language, other.intent, other.masked_text) == (
                    first.language,
                    first.intent,
                    first.masked_text,
                )
                assert (list(other.entities), len(other.spans)) == (list(first.entities), len(first.spans))
        products = [item.value for analysis in streamed for item in analysis.entities if item.type == "product"]
        assert products == (["Box 4G"] * 2 if one is client else [])


async def test_without_models_rules_answer_and_nobody_remembers_it(
    client: Client, stranger: Client, platform: Platform
) -> None:
    await client.call("PutEntityType", entity_type=entity_type("product", "Box 4G"))
    async with process(replace(platform, _inference=Unreachable()), working=False) as other:
        for text, language in (
            ("Bonjour, où est passée ma Box 4G, mon numéro est le 0612345678", common.LANGUAGE_FR),
            ("I still have not received my Box 4G, please help", common.LANGUAGE_EN),
            ("لم أستلم بعد جهاز Box 4G وأريد معرفة الموعد", common.LANGUAGE_AR),
            ("salam mazal ma wslatnich box 4g dyali 3afak", common.LANGUAGE_DARIJA_ARABIZI),
            ("مازال ما وصلاتنيش box 4g ديالي عفاك", common.LANGUAGE_DARIJA_ARABIC),
        ):
            told = await client.at(other).analyze(text)
            assert (told.degraded, told.model_version, told.language) == (True, "", language)
            assert told.entities[0].value == "Box 4G"
            assert "0612345678" not in told.masked_text
            theirs = await stranger.at(other).analyze(text)
            assert theirs.degraded
            assert "product" not in {entity.type for entity in theirs.entities}
            well = await client.analyze(text)
            assert (well.degraded, well.language) == (False, language)
            assert well.entities == told.entities
