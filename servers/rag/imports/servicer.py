"""The RPCs of imports."""

from __future__ import annotations

from collections.abc import AsyncIterator

from salambot.rag.v1 import rag_service_pb2

from servers.kit import paging
from servers.kit.call import current
from servers.kit.errors import InvalidInput, Violation
from servers.rag.imports.imports import Imports
from servers.rag.imports.store import CANCELLED


class ImportRpcs:
    """The part of RAGService that takes documents from elsewhere."""

    _imports: Imports

    async def UploadFile(
        self, request_iterator: AsyncIterator[rag_service_pb2.UploadFileRequest], context: object
    ) -> rag_service_pb2.UploadFileResponse:
        """See the contract."""
        output = await self._imports.uploads.receive(current().tenant, request_iterator)
        return rag_service_pb2.UploadFileResponse(data=output)

    async def StartImport(
        self, request: rag_service_pb2.StartImportRequest, context: object
    ) -> rag_service_pb2.StartImportResponse:
        """See the contract."""
        asked = request.data
        job = await self._imports.importer.start(
            current().tenant, asked.source, asked.origin, asked.defaults, prune=asked.prune
        )
        return rag_service_pb2.StartImportResponse(data=rag_service_pb2.StartImportOutput(job=job))

    async def WatchImport(
        self, request: rag_service_pb2.WatchImportRequest, context: object
    ) -> AsyncIterator[rag_service_pb2.WatchImportResponse]:
        """See the contract."""
        async for job in self._imports.importer.watch(current().tenant, request.data.id):
            yield rag_service_pb2.WatchImportResponse(data=rag_service_pb2.WatchImportOutput(job=job))

    async def GetImport(
        self, request: rag_service_pb2.GetImportRequest, context: object
    ) -> rag_service_pb2.GetImportResponse:
        """See the contract."""
        found = await self._imports.store.find(current().tenant, request.data.id)
        return rag_service_pb2.GetImportResponse(data=rag_service_pb2.GetImportOutput(job=found.job))

    async def ListImports(
        self, request: rag_service_pb2.ListImportsRequest, context: object
    ) -> rag_service_pb2.ListImportsResponse:
        """See the contract."""
        size = paging.size(request.data.page_size)
        jobs = await self._imports.store.page(current().tenant, paging.key(request.data.page_token), size + 1)
        token = paging.token(jobs[size - 1].id) if len(jobs) > size else ""
        return rag_service_pb2.ListImportsResponse(
            data=rag_service_pb2.ListImportsOutput(jobs=jobs[:size], next_page_token=token)
        )

    async def ListImportItems(
        self, request: rag_service_pb2.ListImportItemsRequest, context: object
    ) -> rag_service_pb2.ListImportItemsResponse:
        """See the contract."""
        asked, tenant, size = request.data, current().tenant, paging.size(request.data.page_size)
        await self._imports.store.find(tenant, asked.id)
        after = number_in(asked.page_token, 0)
        lines = await self._imports.store.items(tenant, asked.id, asked.outcome, after, size + 1)
        token = paging.token(str(lines[size - 1][0])) if len(lines) > size else ""
        items = [item for _, item in lines[:size]]
        return rag_service_pb2.ListImportItemsResponse(
            data=rag_service_pb2.ListImportItemsOutput(items=items, next_page_token=token)
        )

    async def CancelImport(
        self, request: rag_service_pb2.CancelImportRequest, context: object
    ) -> rag_service_pb2.CancelImportResponse:
        """See the contract."""
        tenant, asked = current().tenant, request.data.id
        await self._imports.store.end(tenant, asked, CANCELLED)
        found = await self._imports.store.find(tenant, asked)
        return rag_service_pb2.CancelImportResponse(data=rag_service_pb2.CancelImportOutput(job=found.job))


def number_in(page_token: str, first: int) -> int:
    """The position in a page token made of one; `first` where there is no token. Raises InvalidInput."""
    key = paging.key(page_token)
    if not key:
        return first
    if not key.isascii() or not key.isdecimal() or len(key) > 9:
        rule = "must be a next_page_token"
        raise InvalidInput("the page token is not one of ours", violations=[Violation("data.page_token", rule)])
    return int(key)
