"""Uploads in and out: spooled to disk while they come, then kept in the object store."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress

from salambot.rag.v1 import rag_service_pb2

from servers.kit.blobs import Blobs
from servers.kit.errors import InvalidInput, NotFound, Violation
from servers.rag.extraction import MOST_BYTES
from servers.rag.sources import Content, Entry
from servers.rag.uploads.store import File, Store

KEPT_HOURS = 24

_MOST_WAITING = 2 * 1024**3  # bytes of one tenant that wait to be imported
_STORED_AT_ONCE = 2  # each is held in memory


class Uploads:
    """The files that tenants sent."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._storing = asyncio.Semaphore(_STORED_AT_ONCE)

    async def receive(
        self, tenant: str, requests: AsyncIterator[rag_service_pb2.UploadFileRequest]
    ) -> rag_service_pb2.UploadFileOutput:
        """Keeps the file that comes in pieces; raises InvalidInput as soon as it is too large, or UpstreamError."""
        name, size, digest = "", 0, hashlib.sha256()
        with tempfile.TemporaryFile() as spool:
            async for request in requests:
                if not name:
                    name = request.data.name
                    if not name:
                        raise _refusal("data.name", "must name the file, in the first message")
                    digest.update(f"{name}\0".encode())
                size += len(request.data.content)
                if size > MOST_BYTES:
                    raise _refusal("data.content", f"must be at most {MOST_BYTES // 1024**2} MB; split the file")
                digest.update(request.data.content)
                spool.write(request.data.content)
            if not size:
                raise _refusal("data.content", "must not be empty")
            if size + await self._store.held(tenant) > _MOST_WAITING:
                raise _refusal("data.content", "is more than may wait; import what was sent before")
            async with self._storing:
                spool.seek(0)
                await self._blobs.put(tenant, _blob(digest.hexdigest()), await asyncio.to_thread(spool.read))
        await self._store.add(tenant, File(digest.hexdigest(), name, size))
        return rag_service_pb2.UploadFileOutput(id=digest.hexdigest(), name=name, size=size)

    async def open(self, tenant: str, ids: Iterable[str]) -> UploadedFiles:
        """These uploads as a source."""
        asked = list(dict.fromkeys(ids))
        return UploadedFiles(self._blobs, tenant, asked, await self._store.find(tenant, asked))

    async def remove(self, tenant: str, ids: Iterable[str]) -> None:
        """Removes uploads; nothing happens where they are not there."""
        for file in ids:
            await self._blobs.delete(tenant, _blob(file))
            await self._store.remove(tenant, file)

    async def remove_old(self, tenant: str) -> None:
        """Removes what nobody took in a day."""
        await self.remove(tenant, await self._store.old(tenant, KEPT_HOURS))


class UploadedFiles:
    """Uploads as a source of documents; see sources.Source."""

    def __init__(self, blobs: Blobs, tenant: str, asked: Sequence[str], files: Sequence[File]) -> None:
        self._blobs = blobs
        self._tenant = tenant
        self._asked = asked
        self._files = {file.name: file for file in files}

    def check(self) -> None:
        """Raises InvalidInput where one of the files is not there, or two have one name."""
        known = {file.id for file in self._files.values()}
        missing = [file for file in self._asked if file not in known]
        if missing:
            rule = "must be uploads of the last day, each under a name of its own; send again"
            raise _refusal("data.origin.files.ids", f"{rule} {missing[0]}")

    async def entries(self) -> AsyncIterator[Entry]:
        """The files in the order in which they were asked for; raises as `check`."""
        self.check()
        for file in self._files.values():
            yield Entry(file.name, file.size)

    async def fetch(self, name: str) -> Content:
        """The bytes of a file. Raises InvalidInput where it is gone, UpstreamError."""
        file = self._files.get(name)
        if file is not None:
            with suppress(NotFound):
                return Content(await self._blobs.get(self._tenant, _blob(file.id)))
        raise InvalidInput("the upload is gone; send the file again")

    async def close(self) -> None:
        """Nothing to end."""


def _blob(file: str) -> str:
    return f"uploads/{file}"


def _refusal(field: str, rule: str) -> InvalidInput:
    return InvalidInput(f"{field} {rule}", violations=[Violation(field, rule)])
