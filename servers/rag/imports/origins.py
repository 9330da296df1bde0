"""Where an import reads from, as the contract says it, opened as a source; credentials apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from salambot.rag.v1 import import_pb2

from servers.kit.errors import InvalidInput, Violation
from servers.kit.sealing import Broken, Seal
from servers.rag.imports.store import Import
from servers.rag.sources import Source
from servers.rag.sources.addresses import Addresses
from servers.rag.sources.bucket import Bucket
from servers.rag.sources.folder import Folder
from servers.rag.sources.web import WebPages
from servers.rag.uploads import UploadedFiles, Uploads

MOST_PAGES = 100

_PORTS = {"http": 80, "https": 443}


class Origins:
    """Opens origins. Credentials of buckets are kept sealed, beside the import that needs them, while it runs."""

    def __init__(self, uploads: Uploads, folders: Sequence[Path], addresses: Addresses, seal: Seal) -> None:
        """`folders` are open to imports, with all below them."""
        self._uploads = uploads
        self._folders = folders
        self._addresses = addresses
        self._seal = seal

    async def check(self, tenant: str, origin: import_pb2.Origin) -> None:
        """Raises InvalidInput for an origin that cannot be read, UpstreamError where that cannot be told now."""
        _check_address("web.url", origin.web.url)
        _check_address("bucket.endpoint", origin.bucket.endpoint)
        source = await self._source(tenant, origin, import_pb2.Bucket())
        try:
            if isinstance(source, UploadedFiles):
                source.check()
            elif isinstance(source, WebPages):
                address = urlsplit(origin.web.url)
                await self._addresses.resolve(address.hostname or "", address.port or _PORTS[address.scheme])
        finally:
            await source.close()

    def take_credentials(self, tenant: str, job: import_pb2.ImportJob) -> bytes | None:
        """Takes the credentials out of an import's origin, sealed; None where it has none."""
        if not job.origin.bucket.access_key and not job.origin.bucket.secret_key:
            return None
        secret = import_pb2.Bucket(
            access_key=job.origin.bucket.access_key, secret_key=job.origin.bucket.secret_key
        ).SerializeToString()
        job.origin.bucket.ClearField("access_key")
        job.origin.bucket.ClearField("secret_key")
        return self._seal.seal(secret, f"{tenant}/{job.id}")

    async def open(self, tenant: str, job: Import) -> Source:
        """The source that an import reads. Raises InvalidInput or UpstreamError."""
        return await self._source(tenant, job.job.origin, self._credentials(tenant, job))

    async def _source(self, tenant: str, origin: import_pb2.Origin, credentials: import_pb2.Bucket) -> Source:
        match origin.WhichOneof("kind"):
            case "files":
                return await self._uploads.open(tenant, origin.files.ids)
            case "web":
                return WebPages(origin.web.url, origin.web.depth, origin.web.most or MOST_PAGES, self._addresses)
            case "folder":
                return Folder(origin.folder.path, self._folders)
            case _:
                return await Bucket.open(
                    origin.bucket.url,
                    addresses=self._addresses,
                    endpoint=origin.bucket.endpoint,
                    region=origin.bucket.region,
                    access_key=credentials.access_key,
                    secret_key=credentials.secret_key,
                )

    async def settle(self, tenant: str, job: import_pb2.ImportJob) -> None:
        """Removes the uploads of an import that is done; they wait for another day where one of them failed."""
        if job.origin.WhichOneof("kind") == "files" and not job.failed:
            await self._uploads.remove(tenant, job.origin.files.ids)

    def _credentials(self, tenant: str, job: Import) -> import_pb2.Bucket:
        if job.credentials is None:
            return import_pb2.Bucket()
        try:
            return import_pb2.Bucket.FromString(self._seal.open(job.credentials, f"{tenant}/{job.job.id}"))
        except Broken as error:
            raise InvalidInput(f"the credentials cannot be read any more: {error}; start the import again") from None


def _check_address(field: str, url: str) -> None:
    """Raises InvalidInput for what is no address, or holds credentials: it is shown again, in reports and citations."""
    try:
        rule = "must hold no user name and no password" if "@" in urlsplit(url).netloc else ""
    except ValueError:
        rule = "must be an address"
    if rule:
        raise InvalidInput(f"data.origin.{field} {rule}", violations=[Violation(f"data.origin.{field}", rule)])
