"""Imports from the first file to the report, through the real stores."""

from __future__ import annotations

import asyncio
import hashlib
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rag_client import Client
from salambot.common.v1 import envelope_pb2
from salambot.rag.v1 import import_pb2, rag_pb2

from servers.kit.errors import Conflict, InvalidInput, NotFound
from servers.kit.platform import Platform
from servers.rag.imports.names import document_id
from tests.awaiting import until

REFUND = "# Remboursements\n\n## Délai {#delai}\nLe remboursement prend dix jours.\n"
FRENCH = import_pb2.DocumentDefaults(language="LANGUAGE_FR")
DELIVERY = "# Livraison\n\n## Frais {#frais}\nLa livraison coûte trente dirhams.\n"
BROKEN = b"%PDF-1.7 nothing of a PDF follows"

_TAKEN, _UNCHANGED = import_pb2.ITEM_OUTCOME_TAKEN, import_pb2.ITEM_OUTCOME_UNCHANGED
_FAILED, _REMOVED = import_pb2.ITEM_OUTCOME_FAILED, import_pb2.ITEM_OUTCOME_REMOVED


async def test_files_become_documents_with_a_report(client: Client, stranger: Client) -> None:
    files = {"guides/remboursement.md": REFUND.encode(), "casse.pdf": BROKEN, "livraison.md": DELIVERY.encode()}
    defaults = import_pb2.DocumentDefaults(language="LANGUAGE_FR", category="guide", attributes={"brand": "atlas"})
    steps = await client.watch(await client.start(files, defaults=defaults))
    job = steps[-1]
    assert job.state == import_pb2.IMPORT_STATE_DONE, job.problem
    assert (job.items, job.taken, job.failed, job.passages, job.progress) == (3, 2, 1, 2, 1.0)
    assert job.HasField("ended_at")
    assert all(before.progress <= after.progress for before, after in pairwise(steps))

    report = await client.report(job)
    assert [(item.name, item.outcome) for item in report] == [
        ("guides/remboursement.md", _TAKEN), ("casse.pdf", _FAILED), ("livraison.md", _TAKEN),
    ]  # fmt: skip
    assert report[1].reason
    assert [item.name for item in await client.report(job, outcome=_FAILED)] == ["casse.pdf"]

    document = await client.get(report[0].document)
    assert (document.source, document.origin, document.category) == ("guides", "guides/remboursement.md", "guide")
    assert (document.media_type, document.language) == ("text/markdown", envelope_pb2.LANGUAGE_FR)
    assert "Le remboursement prend dix jours." in document.text
    found = await client.retrieve("délai de remboursement", filters={"brand": "atlas"})
    assert (found.ids[0], found.citations[0].loc) == (document.id, "#delai")

    assert not (await stranger.retrieve("délai de remboursement")).ids
    assert not (await stranger.call("ListImports")).jobs
    for name in ("GetImport", "ListImportItems", "CancelImport"):
        with pytest.raises(NotFound):
            await stranger.call(name, id=job.id)
    with pytest.raises(NotFound):
        await stranger.watch(job)


async def test_the_same_again_changes_nothing_and_what_changed_takes_the_place_of_the_old(client: Client) -> None:
    files = {"a.md": REFUND.encode(), "b.md": DELIVERY.encode()}
    first = await client.take(files)
    before = (await client.page()).documents
    again = await client.take(files)
    assert (again.taken, again.unchanged, again.passages) == (0, 2, 0)
    assert (await client.page()).documents == before
    changed = await client.take({**files, "a.md": REFUND.replace("dix", "cinq").encode()})
    assert (changed.taken, changed.unchanged) == (1, 1)
    [document] = [one for one in (await client.page()).documents if one.origin == "a.md"]
    assert document.version == 2
    assert "cinq jours" in (await client.get(document.id)).text
    assert not [text for text in (await client.retrieve("remboursement")).passages if "dix" in text]
    jobs = (await client.call("ListImports", page_size=2)).jobs
    assert [job.id for job in jobs] == [changed.id, again.id]
    assert first.id < again.id < changed.id


async def test_pruning_removes_what_the_origin_has_no_more_and_nothing_else(client: Client, stranger: Client) -> None:
    files = {"a.md": REFUND.encode(), "b.md": DELIVERY.encode(), "c.md": b"Bonjour."}
    for tenant in (client, stranger):
        await tenant.take(files)
        await tenant.take(files, source="elsewhere")
    await client.put("by-hand", DELIVERY, source="guides")
    job = await client.take({"a.md": REFUND.encode(), "c.md": b"\0"}, prune=True)
    assert (job.unchanged, job.taken, job.failed, job.removed) == (1, 0, 1, 1)
    assert [item.name for item in await client.report(job, outcome=_REMOVED)] == ["b.md"]
    left = {one.origin for one in (await client.page(source="guides")).documents}
    assert left == {"", "a.md", "c.md"}
    assert {one.origin for one in (await client.page(source="elsewhere")).documents} == set(files)
    assert {one.origin for one in (await stranger.page(source="guides")).documents} == set(files)


async def test_one_import_of_a_source_at_a_time(client: Client, stranger: Client) -> None:
    many = {f"{number}.md": f"Texte {number}.".encode() for number in range(30)}
    job = await client.start(many)
    with pytest.raises(Conflict):
        await client.start({"a.md": REFUND.encode()})
    other = await client.start({"a.md": REFUND.encode()}, source="other")
    theirs = await stranger.start({"a.md": REFUND.encode()})
    for tenant, one in ((client, job), (client, other), (stranger, theirs)):
        assert (await tenant.watch(one))[-1].state == import_pb2.IMPORT_STATE_DONE
    assert (await client.take({"a.md": REFUND.encode()})).taken == 1


async def test_a_large_import_leaves_others_their_turn(client: Client, stranger: Client) -> None:
    many = {f"{number}.md": f"Texte {number}.".encode() for number in range(300)}
    large = await client.start(many, defaults=FRENCH)
    few = await stranger.take({"a.md": REFUND.encode(), "b.md": DELIVERY.encode()}, defaults=FRENCH)
    assert few.taken == 2
    assert (await client.call("GetImport", id=large.id)).job.taken < 200
    await client.call("CancelImport", id=large.id)


async def test_a_cancelled_import_begins_nothing_more_and_keeps_what_it_took(client: Client) -> None:
    many = {f"{number}.md": f"Texte {number}.".encode() for number in range(200)}
    job = await client.start(many, prune=True)

    async def begun() -> bool:
        return bool((await client.call("GetImport", id=job.id)).job.taken)

    await until(begun)
    cancelled = (await client.call("CancelImport", id=job.id)).job
    assert cancelled.state == import_pb2.IMPORT_STATE_CANCELLED
    await asyncio.sleep(0.5)
    after = (await client.call("GetImport", id=job.id)).job
    assert 0 < after.taken < 200
    assert after.ended_at == cancelled.ended_at
    taken = await client.report(job, outcome=_TAKEN, page_size=200)
    assert {one.id for one in (await client.page(200)).documents} >= {item.document for item in taken}
    assert after.taken == len(taken)
    assert (await client.call("CancelImport", id=job.id)).job == after  # again


async def test_uploads_are_the_tenant_s_own_and_go_when_they_are_taken(
    client: Client, stranger: Client, platform: Platform
) -> None:
    theirs = await stranger.upload("a.md", REFUND.encode())
    assert theirs == hashlib.sha256(b"a.md\0" + REFUND.encode()).hexdigest()
    assert theirs == await client.upload("a.md", REFUND.encode()) == await client.upload("a.md", *map(bytes, zip(REFUND.encode())))  # fmt: skip
    await client.take({"a.md": REFUND.encode()})

    async def gone() -> bool:
        return not await _is_kept(platform, client.tenant, theirs)

    await until(gone)
    origin = import_pb2.Origin(files=import_pb2.Files(ids=[theirs]))
    with pytest.raises(InvalidInput, match="send again"):
        await client.call("StartImport", source="guides", origin=origin)
    assert (await stranger.call("StartImport", source="guides", origin=origin)).job.id


async def _is_kept(platform: Platform, tenant: str, file: str) -> bool:
    try:
        await platform.blobs.get(tenant, f"uploads/{file}")
    except NotFound:
        return False
    return True


async def test_an_upload_that_is_too_large_empty_or_unnamed_is_refused(client: Client) -> None:
    with pytest.raises(InvalidInput, match="50 MB"):
        await client.upload("big.txt", *[b"x" * 1_000_000] * 100)
    with pytest.raises(InvalidInput, match="empty"):
        await client.upload("empty.txt")
    with pytest.raises(InvalidInput, match="name"):
        await client.upload("", b"x")
    one, two = await client.upload("a.md", b"1"), await client.upload("a.md", b"2")
    origin = import_pb2.Origin(files=import_pb2.Files(ids=[one, two]))
    with pytest.raises(InvalidInput, match="name of its own"):
        await client.call("StartImport", source="guides", origin=origin)


async def test_attributes_cannot_pass_for_fields(client: Client) -> None:
    defaults = import_pb2.DocumentDefaults(attributes={"audience": "public"})
    with pytest.raises(InvalidInput) as refusal:
        await client.start({"a.md": REFUND.encode()}, defaults=defaults)
    assert refusal.value.violations[0].field == "data.defaults.attributes"


async def test_internal_documents_and_those_out_of_date_reach_nobody(client: Client) -> None:
    internal = import_pb2.DocumentDefaults(audience=rag_pb2.AUDIENCE_INTERNAL)
    await client.take({"a.md": REFUND.encode()}, defaults=internal)
    customer = Client(client.tenant, client.platform, envelope_pb2.CHANNEL_FACEBOOK)
    assert (await client.retrieve("délai de remboursement")).ids
    assert not (await customer.retrieve("délai de remboursement")).ids
    past = import_pb2.DocumentDefaults()
    past.valid_until.FromJsonString("2020-01-01T00:00:00Z")
    await client.take({"b.md": DELIVERY.encode()}, source="old", defaults=past)
    assert not [loc for loc in (await client.retrieve("frais de livraison")).citations if loc.loc == "#frais"]


async def test_the_language_is_recognised_document_by_document(client: Client, reading: Platform) -> None:
    texts = {
        "fr.md": "Le remboursement de votre commande prend dix jours ouvrables après réception du colis.",
        "en.md": "Your order is refunded within ten working days once we have received the parcel back.",
        "ar.md": "يتم استرجاع مبلغ طلبكم خلال عشرة أيام عمل بعد استلام الطرد من طرف مصالحنا.",
        "arabizi.md": "ila bghiti trj3 lcommande dyalk, khassk tsift lina lcolis 9bl 10 iyam w ghadi nrj3o lik flousk.",
        "darija.md": "إلا بغيتي ترجع الكوموند ديالك خاصك تصيفط لينا الكولي قبل عشر أيام وغادي نرجعو ليك فلوسك.",
    }
    await client.take({name: text.encode() for name, text in texts.items()})
    languages = {one.origin: envelope_pb2.Language.Name(one.language) for one in (await client.page()).documents}
    assert languages == {
        "fr.md": "LANGUAGE_FR", "en.md": "LANGUAGE_EN", "ar.md": "LANGUAGE_AR",
        "arabizi.md": "LANGUAGE_DARIJA_ARABIZI", "darija.md": "LANGUAGE_DARIJA_ARABIC",
    }  # fmt: skip


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_a_name_makes_one_id_that_the_contract_takes(one: str, other: str) -> None:
    pattern = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
    assert document_id("s", one) == document_id("s", one)
    assert re.fullmatch(pattern, document_id("s", one))
    assert (document_id("s", one) == document_id("s", other)) is (one == other)
    assert document_id("s", one) != document_id("t", one)


def test_ids_can_be_read() -> None:
    assert document_id("s", "guides/Remboursement d'été.pdf").startswith("guides-remboursement-d-ete.pdf-")
    assert document_id("s", "https://shop.example/faq/").startswith("shop.example-faq-")
