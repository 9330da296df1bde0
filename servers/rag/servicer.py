"""RAGService: the RPCs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from salambot.common.v1 import envelope_pb2, event_pb2, options_pb2
from salambot.rag.v1 import rag_service_pb2, rag_service_pb2_grpc

from servers.kit import paging
from servers.kit.call import Call, current
from servers.kit.events import Events
from servers.kit.platform import Platform
from servers.rag.embedding import Embedder
from servers.rag.knowledge import Knowledge
from servers.rag.retrieval import Retriever
from servers.rag.store import Store

_STAFF_CHANNELS = (envelope_pb2.CHANNEL_ADMIN, envelope_pb2.CHANNEL_CHROME, envelope_pb2.CHANNEL_SYSTEM)


class RAGService(rag_service_pb2_grpc.RAGServiceServicer):
    """Keeps a tenant's knowledge and finds passages in it."""

    def __init__(self, knowledge: Knowledge, store: Store, retriever: Retriever, events: Events) -> None:
        self._knowledge = knowledge
        self._store = store
        self._retriever = retriever
        self._events = events

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
        document = await self._knowledge.get(tenant, sent.id, text=False)
        return rag_service_pb2.PutDocumentResponse(
            data=rag_service_pb2.PutDocumentOutput(document=document, changed=changed)
        )

    async def GetDocument(
        self, request: rag_service_pb2.GetDocumentRequest, context: object
    ) -> rag_service_pb2.GetDocumentResponse:
        """See the contract."""
        document = await self._knowledge.get(current().tenant, request.data.id, text=True)
        return rag_service_pb2.GetDocumentResponse(data=rag_service_pb2.GetDocumentOutput(document=document))

    async def ListDocuments(
        self, request: rag_service_pb2.ListDocumentsRequest, context: object
    ) -> rag_service_pb2.ListDocumentsResponse:
        """See the contract."""
        size = paging.size(request.data.page_size)
        documents = await self._store.page(current().tenant, paging.key(request.data.page_token), size + 1)
        token = paging.token(documents[size - 1].id) if len(documents) > size else ""
        return rag_service_pb2.ListDocumentsResponse(
            data=rag_service_pb2.ListDocumentsOutput(documents=documents[:size], next_page_token=token)
        )

    async def DeleteDocument(
        self, request: rag_service_pb2.DeleteDocumentRequest, context: object
    ) -> rag_service_pb2.DeleteDocumentResponse:
        """See the contract."""
        deleted = await self._knowledge.delete(current().tenant, request.data.id)
        return rag_service_pb2.DeleteDocumentResponse(data=rag_service_pb2.DeleteDocumentOutput(deleted=deleted))


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
    writers = max(1, platform.settings.database_pool // 2)
    knowledge = Knowledge(store, platform.blobs, platform.vectors, embedder, writers)
    mending = asyncio.create_task(knowledge.keep_mended())
    try:
        yield RAGService(knowledge, store, Retriever(embedder, platform.vectors), platform.events)
    finally:
        mending.cancel()
        await asyncio.gather(mending, return_exceptions=True)
