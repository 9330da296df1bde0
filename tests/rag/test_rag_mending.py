"""What is interrupted is finished, and what is half done is not seen, through the real stores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rag_client import Client
from salambot.common.v1 import envelope_pb2
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import NotFound, UpstreamError
from servers.kit.jobs import Jobs
from servers.kit.platform import Platform
from servers.kit.vectors import VectorStore
from servers.rag.embedding import Embedder
from servers.rag.knowledge import Knowledge
from servers.rag.servicer import open_servicer
from servers.rag.store import Store
from tests.awaiting import until

TEXT = "## Voir ma facture {#voir-facture}\nOuvrez l'application.\n## Payer {#payer}\nPar carte."


class _Failing:
    """The vector store with a fault: it is out of reach for one kind of write."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self.broken = "put"

    async def put(self, *arguments: Any) -> None:
        await self._write("put", *arguments)

    async def prune(self, *arguments: Any) -> None:
        await self._write("prune", *arguments)

    async def delete(self, *arguments: Any) -> None:
        await self._write("delete", *arguments)

    async def _write(self, name: str, *arguments: Any) -> None:
        if self.broken == name:
            raise UpstreamError("the vector store is out of reach; try again later")
        await getattr(self._store, name)(*arguments)


@pytest.fixture
def failing(platform: Platform) -> _Failing:
    return _Failing(platform.vectors)


def _knowledge(platform: Platform, vectors: Any) -> Knowledge:
    """Knowledge as another process has it."""

    async def changed(_tenant: str) -> None:
        """Nobody listens."""

    return Knowledge(
        store=Store(platform.postgres),
        blobs=platform.blobs,
        vectors=vectors,
        embedder=Embedder(platform.inference),
        jobs=Jobs(platform.postgres, platform.addresses.database),
        changed=changed,
        writers=2,
    )


@pytest.fixture
def knowledge(platform: Platform, failing: _Failing) -> Knowledge:
    """Knowledge whose vector store is out of reach until told otherwise."""
    return _knowledge(platform, failing)


def _document(text: str) -> rag_pb2.Document:
    return rag_pb2.Document(id="doc", title="doc", language="LANGUAGE_FR", text=text)


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("broken", ["put", "prune"])
async def test_an_interrupted_upload_is_finished_by_a_retry_or_at_the_next_start(
    client: Client, platform: Platform, knowledge: Knowledge, failing: _Failing, retry: bool, broken: str
) -> None:
    await client.put("doc", "## Q {#q}\nAncien.")
    failing.broken = broken
    with pytest.raises(UpstreamError):
        await knowledge.put(client.tenant, _document("## Q {#q}\nNouveau."))
    live = broken == "prune"  # the new version stands, and what is left of the old one is not seen
    assert ((await client.get("doc")).state == rag_pb2.DOCUMENT_STATE_READY) is live
    assert (await client.retrieve("q")).passages == ["Nouveau." if live else "Ancien."]
    failing.broken = ""
    if retry:
        assert await knowledge.put(client.tenant, _document("## Q {#q}\nNouveau.")) is not live
        await knowledge.mend()
    else:
        jobs = Jobs(platform.postgres, platform.addresses.database)
        async with open_servicer(replace(platform, jobs=jobs)):
            embedder = await Embedder(platform.inference).fingerprint()

            async def mended() -> bool:
                return not await Store(platform.postgres).waiting(client.tenant, embedder, "", 1)

            await until(mended)
    document = await client.get("doc")
    assert (document.state, document.version) == (rag_pb2.DOCUMENT_STATE_READY, 2)
    assert (await client.retrieve("q")).passages == ["Nouveau."]
    assert len(await client.items()) == 1
    assert await knowledge.mend() == 0


async def test_what_is_said_of_a_document_changes_with_its_passages(
    client: Client, knowledge: Knowledge, failing: _Failing
) -> None:
    """What was meant for staff is not shown to customers because the next version is meant for them."""
    customer = replace(client, channel=envelope_pb2.CHANNEL_FACEBOOK)
    await client.put("doc", "## Q {#q}\nSecret.", audience="AUDIENCE_INTERNAL", url="https://intranet.example")
    assert not (await customer.retrieve("q")).ids
    with pytest.raises(UpstreamError):
        await knowledge.put(client.tenant, _document("## Q {#q}\nPublic."))
    assert not (await customer.retrieve("q")).ids
    assert (await client.retrieve("q")).citations[0].url == "https://intranet.example"
    failing.broken = ""
    await knowledge.mend()
    assert (await customer.retrieve("q")).passages == ["Public."]


async def test_an_interrupted_deletion_is_hidden_and_then_finished(
    client: Client, stranger: Client, knowledge: Knowledge, failing: _Failing
) -> None:
    await client.put("doc", TEXT)
    await stranger.put("doc", TEXT)
    failing.broken = "delete"
    with pytest.raises(UpstreamError):
        await knowledge.delete(client.tenant, "doc")
    with pytest.raises(NotFound):
        await client.get("doc")
    assert not (await client.page()).documents
    assert not (await client.retrieve("facture")).ids
    failing.broken = ""
    await knowledge.mend()
    assert not await client.delete("doc")
    assert (await stranger.retrieve("facture")).ids


async def test_uploading_again_takes_an_interrupted_deletion_back(
    client: Client, knowledge: Knowledge, failing: _Failing
) -> None:
    await client.put("doc", TEXT)
    failing.broken = "delete"
    with pytest.raises(UpstreamError):
        await knowledge.delete(client.tenant, "doc")
    assert (await client.put("doc", TEXT)).changed
    failing.broken = ""
    await knowledge.mend()
    assert (await client.get("doc")).text == TEXT
    assert (await client.retrieve("facture")).ids


@pytest.mark.parametrize("gone", [True, False])
async def test_a_document_of_before_there_were_passages_is_taken_from_its_text(
    client: Client, platform: Platform, knowledge: Knowledge, failing: _Failing, gone: bool
) -> None:
    with pytest.raises(UpstreamError):
        await knowledge.put(client.tenant, _document(TEXT))
    failing.broken = ""
    async with platform.postgres.tenant(client.tenant) as connection:
        await connection.execute("DELETE FROM rag_passages")
        await connection.execute("UPDATE rag_documents SET wanted = NULL")
    if gone:
        await platform.blobs.delete(client.tenant, "documents/doc/1.md")
    await knowledge.mend()
    [document] = (await client.page()).documents
    if gone:
        assert document.state == rag_pb2.DOCUMENT_STATE_FAILED
        assert "upload" in document.problem
        await client.put("doc", TEXT)
    assert (await client.get("doc")).state == rag_pb2.DOCUMENT_STATE_READY
    assert (await client.call("ListPassages", document="doc")).passages[1].loc == "#payer"


async def test_documents_of_another_model_are_embedded_again(client: Client, platform: Platform) -> None:
    await client.put("doc", TEXT)
    knowledge, embedder = _knowledge(platform, platform.vectors), await Embedder(platform.inference).fingerprint()
    async with platform.postgres.tenant(client.tenant) as connection:
        await connection.execute("UPDATE rag_documents SET embedder = ~embedder")
    await platform.vectors.delete(client.tenant, "doc")  # what another model made is as good as none
    assert await knowledge.mend() == 1
    assert (await client.retrieve("facture")).ids
    assert await knowledge.mend() == 0
    assert not await Store(platform.postgres).waiting_tenants(embedder)
    assert (await client.get("doc")).version == 1
