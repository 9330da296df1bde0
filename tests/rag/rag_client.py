"""RAG as one tenant calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit import method
from servers.kit.call import serving, work
from servers.kit.envelope import complete
from servers.kit.platform import Platform
from servers.kit.principal import Principal

ALL_SCOPES = frozenset(options_pb2.Scope.values()) - {0}


@dataclass
class Client:
    """Calls RAG as one tenant would, from one channel."""

    tenant: str
    platform: Platform
    channel: int = envelope_pb2.CHANNEL_ADMIN
    scopes: frozenset[int] = ALL_SCOPES

    async def put(self, document: str, text: str, **fields: object) -> rag_service_pb2.PutDocumentOutput:
        sent = rag_pb2.Document(
            **{"id": document, "title": document, "language": "LANGUAGE_FR", "text": text, **fields}
        )
        request = rag_service_pb2.PutDocumentRequest(data=rag_service_pb2.PutDocumentInput(document=sent))
        with self._call("PutDocument"):
            return (await self._stub.PutDocument(request)).data

    async def get(self, document: str) -> rag_pb2.Document:
        request = rag_service_pb2.GetDocumentRequest(data=rag_service_pb2.GetDocumentInput(id=document))
        with self._call("GetDocument"):
            return (await self._stub.GetDocument(request)).data.document

    async def page(self, size: int = 0, token: str = "") -> rag_service_pb2.ListDocumentsOutput:
        data = rag_service_pb2.ListDocumentsInput(page_size=size, page_token=token)
        with self._call("ListDocuments"):
            return (await self._stub.ListDocuments(rag_service_pb2.ListDocumentsRequest(data=data))).data

    async def delete(self, document: str) -> bool:
        request = rag_service_pb2.DeleteDocumentRequest(data=rag_service_pb2.DeleteDocumentInput(id=document))
        with self._call("DeleteDocument"):
            return (await self._stub.DeleteDocument(request)).data.deleted

    async def retrieve(self, query: str, **fields: object) -> rag_pb2.RetrieveOutput:
        request = rag_service_pb2.RetrieveRequest(data=rag_pb2.RetrieveInput(query=query, **fields))
        with self._call("Retrieve"):
            return (await self._stub.Retrieve(request)).data

    @property
    def _stub(self) -> rag_service_pb2_grpc.RAGServiceAsyncStub:
        return rag_service_pb2_grpc.RAGServiceStub(self.platform.channel)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        envelope = envelope_pb2.Envelope(tenant=self.tenant, channel=self.channel, message_id="m1")
        complete(envelope, locale="fr-MA")
        principal = Principal(self.tenant, "key", self.scopes)
        with serving(work(method.find(f"/salambot.rag.v1.RAGService/{name}"), principal, envelope, 30)):
            yield
