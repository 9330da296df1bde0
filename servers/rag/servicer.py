"""RAGService: the RPCs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from salambot.common.v1 import envelope_pb2, event_pb2, options_pb2
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit import paging
from servers.kit.call import Call, current
from servers.kit.errors import InvalidInput, Violation
from servers.kit.events import Events
from servers.kit.platform import Platform
from servers.rag.embedding import Embedder
from servers.rag.imports.imports import Imports
from servers.rag.imports.servicer import ImportRpcs, number_in
from servers.rag.knowledge import Knowledge
from servers.rag.placement import PlacedVectors, Placements
from servers.rag.ranking.ranker import Ranker
from servers.rag.retrieval import Retriever
from servers.rag.standing import Passages
from servers.rag.statistics import Counts
from servers.rag.store import Store

_STAFF_CHANNELS = (envelope_pb2.CHANNEL_ADMIN, envelope_pb2.CHANNEL_CHROME, envelope_pb2.CHANNEL_SYSTEM)


class RAGService(ImportRpcs, rag_service_pb2_grpc.RAGServiceServicer):
    """Keeps a tenant's knowledge and finds passages in it."""

    def __init__(
        self, *, knowledge: Knowledge, store: Store, retriever: Retriever, events: Events, imports: Imports
    ) -> None:
        self._knowledge = knowledge
        self._store = store
        self._retriever = retriever
        self._events = events
        self._imports = imports

    async def Retrieve(
        self, request: rag_service_pb2.RetrieveRequest, context: object
    ) -> rag_service_pb2.RetrieveResponse:
        """See the contract."""
        call = current()
        output = await self._retriever.retrieve(call.tenant, request.data, staff=_is_staff(call))
        best = round(output.scores[0], 3) if output.scores else 0.0
        self._events.emit(event_pb2.EVENT_TYPE_RAG_RETRIEVED, {"count": len(output.ids), "best_score": best})
        return rag_service_pb2.RetrieveResponse(data=output)

    async def PutDocument(
        self, request: rag_service_pb2.PutDocumentRequest, context: object
    ) -> rag_service_pb2.PutDocumentResponse:
        """See the contract."""
        tenant, sent = current().tenant, request.data.document
        changed = await self._knowledge.put(tenant, sent)
        document = (await self._knowledge.find(tenant, sent.id)).document
        return rag_service_pb2.PutDocumentResponse(
            data=rag_service_pb2.PutDocumentOutput(document=document, changed=changed)
        )

    async def GetDocument(
        self, request: rag_service_pb2.GetDocumentRequest, context: object
    ) -> rag_service_pb2.GetDocumentResponse:
        """See the contract."""
        tenant = current().tenant
        document = (await self._knowledge.find(tenant, request.data.id)).document
        document.text = await self._knowledge.text(tenant, document)
        return rag_service_pb2.GetDocumentResponse(data=rag_service_pb2.GetDocumentOutput(document=document))

    async def ListDocuments(
        self, request: rag_service_pb2.ListDocumentsRequest, context: object
    ) -> rag_service_pb2.ListDocumentsResponse:
        """See the contract."""
        asked, size = request.data, paging.size(request.data.page_size)
        documents = await self._store.page(current().tenant, asked.source, paging.key(asked.page_token), size + 1)
        token = paging.token(documents[size - 1].id) if len(documents) > size else ""
        return rag_service_pb2.ListDocumentsResponse(
            data=rag_service_pb2.ListDocumentsOutput(documents=documents[:size], next_page_token=token)
        )

    async def ListPassages(
        self, request: rag_service_pb2.ListPassagesRequest, context: object
    ) -> rag_service_pb2.ListPassagesResponse:
        """See the contract."""
        asked, tenant, size = request.data, current().tenant, paging.size(request.data.page_size)
        known, after = await self._knowledge.find(tenant, asked.document), number_in(asked.page_token, -1)
        passages = await self._store.passages(tenant, asked.document, known.live_version, after, size + 1)
        token = paging.token(str(after + size)) if len(passages) > size else ""
        shown = [rag_pb2.Passage(**passage._asdict()) for passage in passages[:size]]
        return rag_service_pb2.ListPassagesResponse(
            data=rag_service_pb2.ListPassagesOutput(passages=shown, next_page_token=token)
        )

    async def ListSources(
        self, request: rag_service_pb2.ListSourcesRequest, context: object
    ) -> rag_service_pb2.ListSourcesResponse:
        """See the contract."""
        sources = await self._store.sources(current().tenant)
        return rag_service_pb2.ListSourcesResponse(data=rag_service_pb2.ListSourcesOutput(sources=sources))

    async def DeleteDocument(
        self, request: rag_service_pb2.DeleteDocumentRequest, context: object
    ) -> rag_service_pb2.DeleteDocumentResponse:
        """See the contract."""
        deleted = await self._knowledge.delete(current().tenant, request.data.id)
        return rag_service_pb2.DeleteDocumentResponse(data=rag_service_pb2.DeleteDocumentOutput(deleted=deleted))

    async def DeleteDocuments(
        self, request: rag_service_pb2.DeleteDocumentsRequest, context: object
    ) -> rag_service_pb2.DeleteDocumentsResponse:
        """See the contract."""
        asked = request.data
        if bool(asked.source) == asked.all:
            rule = "must hold either source or all"
            raise InvalidInput(f"the request {rule}", violations=[Violation("data", rule)])
        deleted = await self._knowledge.delete_all(current().tenant, asked.source)
        return rag_service_pb2.DeleteDocumentsResponse(data=rag_service_pb2.DeleteDocumentsOutput(deleted=deleted))


def _is_staff(call: Call) -> bool:
    """Whether the call comes from a place where staff works, with a credential that can do more than chat.

    The channel alone is the caller's word: the key of a public widget must not reach internal documents by naming
    another one.
    """
    scopes = call.principal.scopes if call.principal is not None else frozenset()
    channel = call.envelope.channel if call.envelope is not None else envelope_pb2.CHANNEL_UNSPECIFIED
    return channel in _STAFF_CHANNELS and bool(scopes - {options_pb2.SCOPE_CHAT})


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[RAGService]:
    """The servicer; beside it, documents that an earlier process left unfinished are brought up to date."""
    store = Store(platform.postgres)
    embedder = Embedder(platform.inference)
    placements = Placements(platform.postgres, platform.changes, platform.vector_stores.default)
    vectors = PlacedVectors(platform.vector_stores, placements)
    counts = Counts(platform.postgres, platform.jobs, platform.changes)
    knowledge = Knowledge(
        store=store,
        blobs=platform.blobs,
        vectors=vectors,
        embedder=embedder,
        jobs=platform.jobs,
        changed=counts.changed,
        writers=max(1, platform.settings.database_pool // 2),
    )
    retriever = Retriever(
        embedder=embedder,
        vectors=vectors,
        read=Passages(platform.postgres).read,
        statistics_of=counts.of,
        ranker=Ranker(platform.inference),
    )
    imports = Imports.open(platform, knowledge)
    mending = asyncio.create_task(knowledge.keep_mended())
    try:
        yield RAGService(knowledge=knowledge, store=store, retriever=retriever, events=platform.events, imports=imports)
    finally:
        mending.cancel()
        await asyncio.gather(mending, return_exceptions=True)
        await imports.close()
