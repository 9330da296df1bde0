"""RAG as one tenant calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.rag.v1 import import_pb2, rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit import method
from servers.kit.call import serving, work
from servers.kit.envelope import complete
from servers.kit.platform import Platform
from servers.kit.principal import Principal
from servers.kit.vectors import Match
from servers.kit.vectors.interfaces import DIMENSIONS, Terms

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

    async def page(self, size: int = 0, token: str = "", source: str = "") -> rag_service_pb2.ListDocumentsOutput:
        return await self.call("ListDocuments", page_size=size, page_token=token, source=source)

    async def call(self, name: str, /, **asked: Any) -> Any:
        """The output of any RPC with one request and one reply."""
        data = getattr(rag_service_pb2, f"{name}Input")(**asked)
        request = getattr(rag_service_pb2, f"{name}Request")(data=data)
        with self._call(name):
            return (await getattr(self._stub, name)(request)).data

    async def upload(self, name: str, *pieces: bytes) -> str:
        """Sends a file in these pieces, the first beside its name; its id."""

        async def requests() -> AsyncIterator[rag_service_pb2.UploadFileRequest]:
            first = rag_service_pb2.UploadFileInput(name=name, content=pieces[0] if pieces else b"")
            yield rag_service_pb2.UploadFileRequest(data=first)
            for piece in pieces[1:]:
                yield rag_service_pb2.UploadFileRequest(data=rag_service_pb2.UploadFileInput(content=piece))

        with self._call("UploadFile"):
            return (await self._stub.UploadFile(requests())).data.id

    async def start(self, files: Mapping[str, bytes], source: str = "guides", **asked: Any) -> import_pb2.ImportJob:
        """Sends files and begins to import them."""
        ids = [await self.upload(name, content) for name, content in files.items()]
        origin = import_pb2.Origin(files=import_pb2.Files(ids=ids))
        return (await self.call("StartImport", source=source, origin=origin, **asked)).job

    async def watch(self, job: import_pb2.ImportJob) -> list[import_pb2.ImportJob]:
        """The steps of an import until it ends."""
        request = rag_service_pb2.WatchImportRequest(data=rag_service_pb2.WatchImportInput(id=job.id))
        with self._call("WatchImport"):
            return [reply.data.job async for reply in self._stub.WatchImport(request)]

    async def take(self, files: Mapping[str, bytes], source: str = "guides", **asked: Any) -> import_pb2.ImportJob:
        """Imports files to the end."""
        return (await self.watch(await self.start(files, source, **asked)))[-1]

    async def report(self, job: import_pb2.ImportJob, **asked: Any) -> list[import_pb2.ImportItem]:
        """The first page of an import's report."""
        return list((await self.call("ListImportItems", id=job.id, **asked)).items)

    async def delete(self, document: str) -> bool:
        request = rag_service_pb2.DeleteDocumentRequest(data=rag_service_pb2.DeleteDocumentInput(id=document))
        with self._call("DeleteDocument"):
            return (await self._stub.DeleteDocument(request)).data.deleted

    async def retrieve(self, query: str, **fields: object) -> rag_pb2.RetrieveOutput:
        request = rag_service_pb2.RetrieveRequest(data=rag_pb2.RetrieveInput(query=query, **fields))
        with self._call("Retrieve"):
            return (await self._stub.Retrieve(request)).data

    async def items(self) -> list[Match]:
        """What the vector store holds for the tenant."""
        direction = np.zeros(DIMENSIONS, np.float32)
        direction[0] = 1
        no_terms = Terms(np.array([], np.int32), np.array([], np.float32))
        return await self.platform.vectors.search(self.tenant, direction, no_terms, 10_000, {})

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
