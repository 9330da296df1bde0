"""A tenant's documents, kept in three stores that are brought to agree whatever happens in between."""

from __future__ import annotations

import asyncio
import hashlib

import orjson
import structlog
from salambot.rag.v1 import rag_pb2

from servers.kit.blobs import Blobs
from servers.kit.errors import InvalidInput, NotFound, SalamError, Violation
from servers.kit.vectors import Item, VectorStore
from servers.rag.documents import passages_of
from servers.rag.embedding import Embedder
from servers.rag.index import FIELDS, items_of
from servers.rag.store import Store, Stored
from servers.rag.vocabulary import word_of_audience, word_of_language

MOST_PASSAGES = 5000
MENDING_S = 30.0

log = structlog.get_logger(__name__)


class Knowledge:
    """Documents in and out.

    Order of writes. The row of a document is the word on what shall be; the others follow it:

    1. passages and their vectors are made: whatever is wrong with the document or the models shows before any write
    2. in one transaction, the row becomes `pending` in its new version and the text is put under that version
    3. with the row locked, in this version still, the passages are replaced, all at once, then the row becomes `ready`

    A crash before the end of 2 leaves the document as it was (and a text that nothing names, which the next version
    overwrites). A crash after it leaves a row that is not ready: the same upload again, or `mend`, does step 3. The lock
    makes the passages those of the last version, however many uploads of a document run at once.

    Deleting goes the same way: the row says `deleting`, which hides the document; passages and texts go; the row goes.
    """

    def __init__(self, store: Store, blobs: Blobs, vectors: VectorStore, embedder: Embedder, writers: int) -> None:
        """`writers` at once: each holds a connection while the vector store, which may be Postgres, asks for another."""
        self._store = store
        self._blobs = blobs
        self._vectors = vectors
        self._embedder = embedder
        self._writing = asyncio.Semaphore(writers)

    async def put(self, tenant: str, document: rag_pb2.Document) -> bool:
        """Stores a document and makes it searchable; false when the same content was there already.

        Raises InvalidInput for one without text, UpstreamError or Timeout.
        """
        digest = _digest(document)
        known = await self._store.find(tenant, document.id)
        if known is not None and known.state == "ready" and known.digest == digest:
            return False
        items = await self._items(document)
        async with self._writing:
            async with self._store.announcing(tenant, document, digest) as version:
                await self._blobs.put(tenant, _blob(document.id, version), document.text.encode())
            stored = rag_pb2.Document(id=document.id, version=version)
            await self._publish(tenant, stored, items)
        return True

    async def get(self, tenant: str, document: str, *, text: bool) -> rag_pb2.Document:
        """The document, with its text where asked for; raises NotFound."""
        known = await self._store.find(tenant, document)
        if known is None or known.state == "deleting":
            raise NotFound(f"there is no document {document}")
        if text:
            known.document.text = await self._text(tenant, known.document)
        return known.document

    async def delete(self, tenant: str, document: str) -> bool:
        """Removes a document, its passages and all versions of its text; false when it was not there."""
        async with self._writing:
            known = await self._store.announce_removal(tenant, document)
            if known:
                await self._remove(tenant, document)
        return known

    async def mend(self) -> int:
        """Finishes what was interrupted, and embeds again what another model embedded; how many documents it took.

        Raises UpstreamError or Timeout as long as a store or the models are out of reach.
        """
        unfinished = await self._store.unfinished(await self._embedder.fingerprint())
        for tenant, known in unfinished:
            async with self._writing:
                await self._finish(tenant, known)
        return len(unfinished)

    async def keep_mended(self) -> None:
        """Mends at once and then every MENDING_S seconds, until cancelled."""
        while True:
            try:
                count = await self.mend()
                if count:
                    log.info("documents brought up to date", count=count)
            except SalamError as error:
                log.warning("documents wait to be brought up to date", problem=error.message)
            except Exception:  # a fault of ours: it must not end the mending of everything else
                log.exception("documents could not be brought up to date")
            await asyncio.sleep(MENDING_S)

    async def _finish(self, tenant: str, known: Stored) -> None:
        if known.state == "deleting":
            await self._remove(tenant, known.document.id)
            return
        try:
            known.document.text = await self._text(tenant, known.document)
            items = await self._items(known.document)
        except InvalidInput as error:
            await self._store.fail(tenant, known.document, f"{error.message}; upload the document again")
            return
        await self._publish(tenant, known.document, items)

    async def _items(self, document: rag_pb2.Document) -> list[Item]:
        reserved = [name for name in FIELDS if name in document.attributes]
        if reserved:
            rule = f"must not hold {reserved[0]}, which is a field of the document"
            raise InvalidInput(f"attributes {rule}", violations=[Violation("data.document.attributes", rule)])
        passages = passages_of(document.text)
        if not 1 <= len(passages) <= MOST_PASSAGES:
            rule = (
                f"must make at most {MOST_PASSAGES} passages; split it"
                if passages
                else "must hold text under its headings"
            )
            raise InvalidInput(f"the document {rule}", violations=[Violation("data.document.text", rule)])
        return await items_of(self._embedder, document, passages)

    async def _publish(self, tenant: str, document: rag_pb2.Document, items: list[Item]) -> None:
        embedder = await self._embedder.fingerprint()
        async with self._store.publishing(tenant, document, len(items), embedder) as due:
            if due:
                await self._vectors.replace(tenant, document.id, items)

    async def _remove(self, tenant: str, document: str) -> None:
        async with self._store.removing(tenant, document) as version:
            if version is not None:
                await self._vectors.delete(tenant, document)
                for each in range(1, version + 2):  # one more: an upload that was cut off before its row was written
                    await self._blobs.delete(tenant, _blob(document, each))

    async def _text(self, tenant: str, document: rag_pb2.Document) -> str:
        return (await self._blobs.get(tenant, _blob(document.id, document.version))).decode()


def _blob(document: str, version: int) -> str:
    return f"documents/{document}/{version}.md"


def _digest(document: rag_pb2.Document) -> bytes:
    """SHA-256 of everything the tenant sends of a document."""
    sent = [
        document.title,
        word_of_language(document.language),
        document.text,
        document.category,
        word_of_audience(document.audience),
        document.url,
        sorted(document.attributes.items()),
    ]
    return hashlib.sha256(orjson.dumps(sent)).digest()
