"""Raw documents: a local folder or S3/MinIO, through one library (obstore: one API over Rust's object_store)."""

from __future__ import annotations

from pathlib import Path

import obstore
from obstore.store import ObjectStore, from_url

from servers.kit.errors import InvalidInput, NotFound, UpstreamError
from servers.kit.tenancy import checked_tenant

_PART_BYTES = 200  # file systems take 255, of which a draft's suffix needs some


class Blobs:
    """Bytes by tenant and name, under `<tenant>/<name>`.

    Raises InvalidInput for a name that is no relative path of plain parts: no name reaches another tenant's bytes.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str | None, folder: Path) -> Blobs:
        """The store at `url` (`s3://bucket/prefix`, credentials from the usual variables), else the local folder."""
        if url is None:
            folder.mkdir(parents=True, exist_ok=True)
            url = folder.resolve().as_uri()
        return cls(from_url(url))

    async def put(self, tenant: str, name: str, data: bytes) -> None:
        """Stores bytes, in the place of what was there; raises UpstreamError."""
        try:
            await obstore.put_async(self._store, _path(tenant, name), data)
        except (obstore.exceptions.BaseError, OSError) as error:
            raise UpstreamError("the document store is out of reach; try again later") from error

    async def get(self, tenant: str, name: str) -> bytes:
        """The bytes; raises NotFound or UpstreamError."""
        try:
            result = await obstore.get_async(self._store, _path(tenant, name))
            return bytes(await result.bytes_async())
        except (FileNotFoundError, obstore.exceptions.NotFoundError) as error:
            raise NotFound("there is no such stored document") from error
        except (obstore.exceptions.BaseError, OSError) as error:
            raise UpstreamError("the document store is out of reach; try again later") from error

    async def delete(self, tenant: str, name: str) -> None:
        """Removes what is there; nothing happens when there is nothing."""
        try:
            await obstore.delete_async(self._store, _path(tenant, name))
        except FileNotFoundError:
            return
        except (obstore.exceptions.BaseError, OSError) as error:
            raise UpstreamError("the document store is out of reach; try again later") from error


def _path(tenant: str, name: str) -> str:
    parts = name.split("/")
    plain = all(part not in {"", ".", ".."} and len(part.encode()) <= _PART_BYTES for part in parts)
    if not plain or not name.isprintable():
        raise InvalidInput("a stored document cannot have this name")
    return f"{checked_tenant(tenant)}/{name}"
