"""Documents in and out, through the real stores."""

from __future__ import annotations

import asyncio
import base64

import pytest
from rag_client import Client
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput, NotFound, UpstreamError
from servers.kit.platform import Platform
from servers.kit.vectors import VectorStore
from servers.rag.embedding import Embedder
from servers.rag.knowledge import Knowledge
from servers.rag.servicer import open_servicer
from servers.rag.store import Store

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


class _Failing:
    """The vector store with a fault: it is out of reach for writes."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self.down = True

    async def replace(self, *arguments: object) -> None:
        if self.down:
            raise UpstreamError("the vector store is out of reach; try again later")
        await self._store.replace(*arguments)  # type: ignore[arg-type]

    async def delete(self, *arguments: object) -> None:
        if self.down:
            raise UpstreamError("the vector store is out of reach; try again later")
        await self._store.delete(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def failing(platform: Platform) -> _Failing:
    return _Failing(platform.vectors)


@pytest.fixture
def knowledge(platform: Platform, failing: _Failing) -> Knowledge:
    """Knowledge whose vector store is out of reach until told otherwise."""
    return Knowledge(Store(platform.postgres), platform.blobs, failing, Embedder(platform.inference), 2)  # type: ignore[arg-type]


def _document(text: str) -> rag_pb2.Document:
    return rag_pb2.Document(id="doc", title="doc", language="LANGUAGE_FR", text=text)


@pytest.mark.parametrize("retry", [True, False])
async def test_an_interrupted_upload_is_finished_by_a_retry_or_at_the_next_start(
    client: Client, platform: Platform, knowledge: Knowledge, failing: _Failing, retry: bool
) -> None:
    await client.put("doc", "## Q {#q}\nAncien.")
    with pytest.raises(UpstreamError):
        await knowledge.put(client.tenant, _document("## Q {#q}\nNouveau."))
    assert (await client.get("doc")).state == rag_pb2.DOCUMENT_STATE_PENDING
    assert (await client.retrieve("q")).passages == ["Ancien."]
    failing.down = False
    if retry:
        assert await knowledge.put(client.tenant, _document("## Q {#q}\nNouveau."))
    else:
        async with open_servicer(platform):
            while (await client.get("doc")).state != rag_pb2.DOCUMENT_STATE_READY:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    document = await client.get("doc")
    assert (document.state, document.version) == (rag_pb2.DOCUMENT_STATE_READY, 2)
    assert (await client.retrieve("q")).passages == ["Nouveau."]


async def test_an_interrupted_deletion_is_hidden_and_then_finished(
    client: Client, stranger: Client, knowledge: Knowledge, failing: _Failing
) -> None:
    await client.put("doc", TEXT)
    await stranger.put("doc", TEXT)
    with pytest.raises(UpstreamError):
        await knowledge.delete(client.tenant, "doc")
    with pytest.raises(NotFound):
        await client.get("doc")
    assert not (await client.page()).documents
    failing.down = False
    await knowledge.mend()
    assert not (await client.retrieve("facture")).ids
    assert not await client.delete("doc")
    assert (await stranger.retrieve("facture")).ids


async def test_uploading_again_takes_an_interrupted_deletion_back(
    client: Client, knowledge: Knowledge, failing: _Failing
) -> None:
    await client.put("doc", TEXT)
    with pytest.raises(UpstreamError):
        await knowledge.delete(client.tenant, "doc")
    assert (await client.put("doc", TEXT)).changed
    failing.down = False
    await knowledge.mend()
    assert (await client.get("doc")).text == TEXT
    assert (await client.retrieve("facture")).ids


async def test_a_document_whose_text_is_gone_is_given_up_with_a_reason(
    client: Client, platform: Platform, knowledge: Knowledge
) -> None:
    with pytest.raises(UpstreamError):
        await knowledge.put(client.tenant, _document(TEXT))
    await platform.blobs.delete(client.tenant, "documents/doc/1.md")
    await knowledge.mend()
    [document] = (await client.page()).documents
    assert document.state == rag_pb2.DOCUMENT_STATE_FAILED
    assert "upload" in document.problem
    await client.put("doc", TEXT)
    assert (await client.get("doc")).state == rag_pb2.DOCUMENT_STATE_READY


async def test_documents_of_another_model_are_embedded_again(client: Client, platform: Platform) -> None:
    await client.put("doc", TEXT)
    async with platform.postgres.tenant(client.tenant) as connection:
        await connection.execute("UPDATE rag_documents SET embedder = ~embedder")
        await connection.execute('UPDATE vectors SET payload = payload || \'{"text": "stale"}\'')
    knowledge = Knowledge(Store(platform.postgres), platform.blobs, platform.vectors, Embedder(platform.inference), 2)
    assert (await client.retrieve("facture")).passages[0] == "stale"
    assert await knowledge.mend() == 1
    assert "stale" not in (await client.retrieve("facture")).passages
    assert await knowledge.mend() == 0
    assert (await client.get("doc")).version == 1
