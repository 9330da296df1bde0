"""Documents in and out, through the real stores."""

from __future__ import annotations

import asyncio
import base64

import pytest
from rag_client import Client
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput, NotFound
from servers.kit.platform import Platform
from servers.rag.store import Store
from tests.awaiting import until

TEXT = "## Voir ma facture {#voir-facture}\nOuvrez l'application.\n## Payer {#payer}\nPar carte."


async def test_a_document_comes_back_as_it_was_sent(client: Client) -> None:
    put = await client.put(
        "doc", TEXT, title="Factures", category="faq", url="https://x.example", attributes={"a": "b"}
    )
    assert put.changed
    got = await client.get("doc")
    assert (got.text, got.title, got.category, got.url) == (TEXT, "Factures", "faq", "https://x.example")
    assert got.attributes == {"a": "b"}
    assert (got.state, got.version, got.passage_count) == (rag_pb2.DOCUMENT_STATE_READY, 1, 2)
    assert got.audience == rag_pb2.AUDIENCE_PUBLIC
    assert got.created_at.ToSeconds() > 0
    got.ClearField("text")
    assert put.document == got


async def test_the_same_content_changes_nothing_and_other_content_is_a_new_version(client: Client) -> None:
    first = await client.put("doc", TEXT)
    same = await client.put("doc", TEXT)
    assert (same.changed, same.document) == (False, first.document)
    other = await client.put("doc", TEXT + " Ou en agence.")
    assert other.changed
    assert other.document.version == 2
    assert other.document.created_at == first.document.created_at
    assert (await client.put("doc", TEXT + " Ou en agence.", category="faq")).document.version == 3


async def test_another_tenant_sees_and_touches_nothing(client: Client, stranger: Client) -> None:
    await client.put("doc", TEXT)
    with pytest.raises(NotFound):
        await stranger.get("doc")
    assert not (await stranger.page()).documents
    assert not (await stranger.retrieve("voir ma facture")).ids
    assert not await stranger.delete("doc")
    await stranger.put("doc", "## Voir ma facture {#voir-facture}\nAutre maison.")
    assert (await stranger.retrieve("voir ma facture")).passages == ["Autre maison."]
    assert await stranger.delete("doc")
    assert (await client.get("doc")).text == TEXT
    assert "Autre maison." not in (await client.retrieve("voir ma facture")).passages


async def test_deleting_removes_everything_and_may_be_repeated(client: Client, platform: Platform) -> None:
    await client.put("doc", TEXT)
    await client.put("doc", TEXT + " bis")
    assert await client.delete("doc")
    assert not await client.delete("doc")
    assert not (await client.retrieve("voir ma facture")).ids
    for version in (1, 2):
        with pytest.raises(NotFound):
            await platform.blobs.get(client.tenant, f"documents/doc/{version}.md")
    assert (await client.put("doc", TEXT)).document.version == 1


async def test_pages_hold_every_document_once_in_order(client: Client) -> None:
    names = ["B", "a", "a.1", "a_b", "b-1", "é".encode().hex(), "z"]
    for name in names:
        await client.put(name, TEXT)
    found, token = [], ""
    while True:
        page = await client.page(3, token)
        found += [document.id for document in page.documents]
        assert all(not document.text for document in page.documents)
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(names)


@pytest.mark.parametrize("token", ["x", "é", "a" * 512, base64.urlsafe_b64encode(b"other:doc").decode(), "ZDE6Lw"])
async def test_a_token_that_is_not_ours_is_refused(client: Client, token: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await client.page(3, token)
    assert refusal.value.violations[0].field == "data.page_token"


@pytest.mark.parametrize("text", ["", " \n", "# Rien que des titres\n## Et encore"])
async def test_a_document_without_text_is_refused_and_leaves_nothing(client: Client, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await client.put("doc", text)
    assert refusal.value.violations[0].field == "data.document.text"
    assert not (await client.page()).documents


async def test_attributes_cannot_pass_for_fields(client: Client) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await client.put("doc", TEXT, attributes={"audience": "public"})
    assert refusal.value.violations[0].field == "data.document.attributes"


async def test_a_reader_sees_the_old_passages_or_the_new_ones(client: Client) -> None:
    def version(number: int) -> str:
        return "\n".join(f"## Question {place} {{#q{place}}}\nVersion {number}." for place in range(10))

    await client.put("doc", version(0))
    seen: set[str] = set()

    async def read(stop: asyncio.Event) -> None:
        while not stop.is_set():
            passages = (await client.retrieve("question", limit=10)).passages
            assert len(passages) == 10
            assert len(set(passages)) == 1, "passages of two versions in one answer"
            seen.update(passages)

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(read(stop))
        for number in range(1, 8):
            await client.put("doc", version(number))
        stop.set()
    assert len(seen) > 1


async def test_many_uploads_at_once_leave_one_version_whole(client: Client) -> None:
    await asyncio.gather(*(client.put("doc", f"## Q {{#q}}\nTexte {number}.") for number in range(24)))
    document = await client.get("doc")
    assert document.version == 24
    assert document.state == rag_pb2.DOCUMENT_STATE_READY
    assert (await client.retrieve("q")).passages == [document.text.splitlines()[1]]


async def test_passages_are_listed_in_their_order_page_by_page(client: Client, stranger: Client) -> None:
    text = "\n".join(f"## Question {place} {{#q{place}}}\nRéponse {place}." for place in range(7))
    await client.put("doc", text)
    found, token = [], ""
    while True:
        page = await client.call("ListPassages", document="doc", page_size=3, page_token=token)
        found += page.passages
        token = page.next_page_token
        if not token:
            break
    assert [(passage.loc, passage.text) for passage in found] == [(f"#q{n}", f"Réponse {n}.") for n in range(7)]
    assert found[2].title == "Question 2"
    with pytest.raises(NotFound):
        await stranger.call("ListPassages", document="doc")
    with pytest.raises(InvalidInput):
        await client.call("ListPassages", document="doc", page_token=base64.urlsafe_b64encode(b'["x"]').decode())


@pytest.mark.parametrize("source", ["tickets", "incidents", "corrections"])
async def test_what_other_components_learn_is_kept_found_listed_and_removed_by_source(
    client: Client, stranger: Client, platform: Platform, source: str
) -> None:
    """Resolved tickets, incidents and validated corrections are documents of a source like any other."""
    for tenant in (client, stranger):
        await tenant.put(f"{source}-1", "## La box clignote rouge\nRedémarrer la box.", source=source)
        await tenant.put("guide", TEXT, source="site")
    assert f"{source}-1" in (await client.retrieve("ma box clignote")).ids
    assert [document.id for document in (await client.page(source=source)).documents] == [f"{source}-1"]
    figures = {one.name: (one.documents, one.passages) for one in (await client.call("ListSources")).sources}
    assert figures == {source: (1, 1), "site": (1, 2)}
    assert (await client.call("DeleteDocuments", source=source)).deleted == 1
    assert f"{source}-1" not in (await client.retrieve("ma box clignote")).ids
    assert [one.name for one in (await client.call("ListSources")).sources] == ["site"]
    assert f"{source}-1" in (await stranger.retrieve("ma box clignote")).ids
    await _until_removed(platform, client.tenant)
    assert (await client.get("guide")).text == TEXT


async def test_a_whole_tenant_is_emptied_and_no_other(client: Client, stranger: Client, platform: Platform) -> None:
    for number in range(3):
        await client.put(f"doc-{number}", TEXT)
    await stranger.put("doc-0", TEXT)
    for asked in ({}, {"source": "x", "all": True}):
        with pytest.raises(InvalidInput):
            await client.call("DeleteDocuments", **asked)
    assert (await client.call("DeleteDocuments", all=True)).deleted == 3
    assert not (await client.retrieve("facture")).ids
    assert (await client.call("DeleteDocuments", all=True)).deleted == 0
    await _until_removed(platform, client.tenant)
    assert not await client.items()
    with pytest.raises(NotFound):
        await platform.blobs.get(client.tenant, "documents/doc-0/1.md")
    assert (await stranger.retrieve("facture")).ids


async def _until_removed(platform: Platform, tenant: str) -> None:
    async def removed() -> bool:
        return not await Store(platform.postgres).hidden(tenant, 1)

    await until(removed)
