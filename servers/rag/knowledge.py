"""A tenant's documents, kept in three stores that are brought to agree whatever happens in between."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import structlog
from salambot.rag.v1 import rag_pb2

from servers.kit.blobs import Blobs
from servers.kit.errors import InvalidInput, NotFound, SalamError, Violation
from servers.kit.jobs import Jobs, Payload
from servers.kit.postgres.pool import Connection
from servers.kit.vectors import Item, VectorStore
from servers.rag.chunking import passages_of
from servers.rag.embedding import Embedder
from servers.rag.extraction.markdown import parts_of
from servers.rag.index import FIELDS, items_of
from servers.rag.passages import Passage
from servers.rag.store import Store, Stored

MARKDOWN = "text/markdown"
MOST_PASSAGES = 5000
MENDING_S = 30.0

_REMOVE = "rag.remove_documents"
_AT_ONCE = 100  # documents looked up together to be mended or removed
_TOGETHER = 32  # passages made ready without a break: customers' questions come between

Changed = Callable[[str], Awaitable[None]]
"""Hears of the tenant whose passages changed."""

log = structlog.get_logger(__name__)


class Draft(NamedTuple):
    """A document to be published: what is said of it, without its text, and what it is made of.

    `digest` tells its content from any other; `text` is what people read of it, as Markdown; `original` are the bytes
    that it was extracted from, None where the text is all there was.
    """

    document: rag_pb2.Document
    digest: bytes
    passages: Sequence[Passage]
    text: str
    original: bytes | None = None


class Knowledge:
    """Documents in and out.

    Order of writes. The row of a document is the word on what shall be and on what stands; searches show a passage when
    its version is the row's live one. So a reader sees one version or the next, in whatever order the rest is written:

    1. passages, vectors and terms are made: whatever is wrong with the document or the models shows before any write
    2. in one transaction, the row becomes `pending` in its new version, the passages are written under that version, and
       so is the text; the live version stays as it is
    3. with the row locked, in this version still, the vectors are added under that version; then, in the same
       transaction, the version becomes the live one, with all that is said of it, and the passages before it go
    4. with the row locked, in this version still, the vectors of all others go

    A crash before the end of 2 leaves the document as it was (and a text that nothing names, which the next version
    overwrites). A crash after it leaves a row that says what is missing: the same upload again, or `mend`, does steps 3
    and 4 from the passages that step 2 wrote. The lock makes what is live the last version, and keeps its vectors from
    being removed by an earlier one, however many uploads of a document run at once.

    Deleting goes the same way: the row says `deleting` and nothing is live, which hides the document; vectors and texts
    go; the row goes, and its passages with it.
    """

    def __init__(
        self,
        *,
        store: Store,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder,
        jobs: Jobs,
        changed: Changed,
        writers: int,
    ) -> None:
        """`writers` at once: each holds a connection while the vector store, which may be Postgres, asks for another."""
        self._store = store
        self._blobs = blobs
        self._vectors = vectors
        self._embedder = embedder
        self._jobs = jobs
        self._changed = changed
        self._writing = asyncio.Semaphore(writers)
        jobs.register(_REMOVE, self._remove_all)

    async def put(self, tenant: str, document: rag_pb2.Document) -> bool:
        """Stores a Markdown document and makes it searchable; false when the same content was there already.

        Raises InvalidInput for one without text, UpstreamError or Timeout.
        """
        sent, text = _without_what_the_server_sets(document), document.text
        sent.media_type = MARKDOWN
        digest = digest_of(sent, text.encode())
        if await self.unchanged(tenant, sent.id, digest) is not None:
            return False
        passages = await asyncio.to_thread(_passages_of, text)
        return await self.publish(tenant, Draft(sent, digest, passages, text))

    async def unchanged(self, tenant: str, document: str, digest: bytes) -> rag_pb2.Document | None:
        """The document, where searches find it with this very content."""
        known = await self._store.find(tenant, document)
        return known.document if known is not None and known.state == "ready" and known.digest == digest else None

    async def publish(self, tenant: str, draft: Draft) -> bool:
        """Stores a document of any kind and makes its passages searchable; returns and raises as `put`."""
        document = draft.document
        while True:
            known = await self._store.find(tenant, document.id)
            seen = known.document.version if known is not None else 0
            document.version = seen if known is not None and known.digest == draft.digest else seen + 1
            items = await self._items(document, draft.passages)
            async with self._writing:
                if await self._announce(tenant, draft, seen, items):
                    await self._go_live(tenant, document, items)
                    break
            if await self.unchanged(tenant, document.id, draft.digest) is not None:
                return False
            # Another upload of this document was faster; ours follows it.
        await self._changed(tenant)
        return True

    async def find(self, tenant: str, document: str) -> Stored:
        """What is known of a document; raises NotFound."""
        known = await self._store.find(tenant, document)
        if known is None or known.state == "deleting":
            raise NotFound(f"there is no document {document}")
        return known

    async def text(self, tenant: str, document: rag_pb2.Document) -> str:
        """The text of a document's last version; raises NotFound or UpstreamError."""
        return (await self._blobs.get(tenant, _text_blob(document.id, document.version))).decode()

    async def delete(self, tenant: str, document: str) -> bool:
        """Removes a document, its passages and all versions of its text; false when it was not there."""
        known = await self._store.hide(tenant, document)
        if known:
            await self._remove(tenant, document)
            await self._changed(tenant)
        return known

    async def delete_all(self, tenant: str, source: str) -> int:
        """Hides the documents of a source at once, or all where it is empty, and has a job remove them; how many."""
        async with self._store.hiding(tenant, source) as (connection, count):
            await self.remove_hidden(tenant, connection)
        await self._changed(tenant)
        return count

    async def remove_hidden(self, tenant: str, connection: Connection) -> None:
        """Has a job remove the tenant's hidden documents, once the transaction of `connection` commits."""
        await self._jobs.enqueue(_REMOVE, {"tenant": tenant}, connection=connection)

    async def mend(self) -> int:
        """Finishes what was interrupted, and embeds again what another model embedded; how many documents it took.

        Raises UpstreamError or Timeout as long as a store or the models are out of reach.
        """
        embedder, count = await self._embedder.fingerprint(), 0
        for tenant in await self._store.waiting_tenants(embedder):
            after = ""
            while waiting := await self._store.waiting(tenant, embedder, after, _AT_ONCE):
                for known in waiting:
                    await self._finish(tenant, known)
                count, after = count + len(waiting), waiting[-1].document.id
            await self._changed(tenant)
        return count

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
        document = known.document
        try:
            if known.state == "deleting":
                await self._remove(tenant, document.id)
                return
            passages = await self._store.passages(tenant, document.id, document.version, -1, MOST_PASSAGES)
            if not passages:  # stored before passages were: it has its text alone
                text = await self.text(tenant, document)
                made = await asyncio.to_thread(_passages_of, text)
                await self.publish(tenant, Draft(document, known.digest, made, text))
                return
            items = await self._items(document, passages)
            async with self._writing:
                await self._go_live(tenant, document, items)
        except InvalidInput as error:
            await self._store.fail(tenant, document, f"{error.message}; upload the document again")
        except SalamError:
            raise
        except Exception:  # a fault of ours with this document: the others are brought up to date all the same
            log.exception("a document could not be brought up to date", tenant=tenant, document=document.id)

    async def _items(self, document: rag_pb2.Document, passages: Sequence[Passage]) -> list[Item]:
        check_attributes(document.attributes, "data.document.attributes")
        if not 1 <= len(passages) <= MOST_PASSAGES:
            rule = (
                f"must make at most {MOST_PASSAGES} passages; split it"
                if passages
                else "must hold text under its headings"
            )
            raise InvalidInput(f"the document {rule}", violations=[Violation("data.document.text", rule)])
        items: list[Item] = []
        for start in range(0, len(passages), _TOGETHER):
            items += await items_of(self._embedder, document, passages[start : start + _TOGETHER])
        return items

    async def _announce(self, tenant: str, draft: Draft, seen: int, items: Sequence[Item]) -> bool:
        document = draft.document
        rows = [(passage, item.terms.ids.tolist()) for passage, item in zip(draft.passages, items, strict=True)]
        async with self._store.announcing(tenant, document, draft.digest, seen, rows) as announced:
            if announced:
                await self._blobs.put(tenant, _text_blob(document.id, document.version), draft.text.encode())
                if draft.original is not None:
                    await self._blobs.put(tenant, _original_blob(document.id, document.version), draft.original)
        return announced

    async def _go_live(self, tenant: str, document: rag_pb2.Document, items: Sequence[Item]) -> None:
        embedder = await self._embedder.fingerprint()
        async with self._store.going_live(tenant, document, len(items), embedder) as due:
            if due:
                await self._vectors.put(tenant, items)
        async with self._store.tidying(tenant, document) as due:
            if due:
                await self._vectors.prune(tenant, document.id, str(document.version))

    async def _remove_all(self, payload: Payload) -> None:
        tenant = payload["tenant"]
        while hidden := await self._store.hidden(tenant, _AT_ONCE):
            for document in hidden:
                await self._remove(tenant, document)

    async def _remove(self, tenant: str, document: str) -> None:
        async with self._writing, self._store.removing(tenant, document) as version:
            if version is not None:
                await self._vectors.delete(tenant, document)
                for each in range(1, version + 2):  # one more: an upload that was cut off before its row was written
                    await self._blobs.delete(tenant, _text_blob(document, each))
                    await self._blobs.delete(tenant, _original_blob(document, each))


def digest_of(document: rag_pb2.Document, content: bytes) -> bytes:
    """SHA-256 of all that is said of a document, and of its content."""
    said = document.SerializeToString(deterministic=True)
    return hashlib.sha256(hashlib.sha256(said).digest() + content).digest()


def check_attributes(attributes: Mapping[str, str], field: str) -> None:
    """Raises InvalidInput, naming `field`, for attributes that could pass for a document's own fields."""
    reserved = [name for name in FIELDS if name in attributes]
    if reserved:
        rule = f"must not hold {reserved[0]}, which is a field of the document"
        raise InvalidInput(f"attributes {rule}", violations=[Violation(field, rule)])


def _passages_of(text: str) -> list[Passage]:
    return passages_of(parts_of(text))


def _without_what_the_server_sets(document: rag_pb2.Document) -> rag_pb2.Document:
    return rag_pb2.Document(
        id=document.id,
        title=document.title,
        language=document.language,
        category=document.category,
        audience=document.audience or rag_pb2.AUDIENCE_PUBLIC,
        url=document.url,
        attributes=document.attributes,
        source=document.source,
        valid_from=document.valid_from if document.HasField("valid_from") else None,
        valid_until=document.valid_until if document.HasField("valid_until") else None,
    )


def _text_blob(document: str, version: int) -> str:
    return f"documents/{document}/{version}.md"


def _original_blob(document: str, version: int) -> str:
    return f"documents/{document}/{version}.original"
