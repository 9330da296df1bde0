"""A bucket of S3, MinIO or any server that speaks as they do, or the part of it below a prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import httpx
from lxml import etree

from servers.kit.errors import InvalidInput, NotFound, UpstreamError
from servers.rag.extraction import MOST_BYTES
from servers.rag.sources.addresses import Addresses
from servers.rag.sources.fetching import Fetched, Refused, Web
from servers.rag.sources.interfaces import Content, Entry
from servers.rag.sources.presigning import Keys, address, presigned

_REGION = "us-east-1"
_SECONDS = 60.0
_MOST_OBJECTS = 100_000


class Bucket:
    """A source: see interfaces.Source. Objects are named by their keys below the prefix; hidden ones are left alone.

    The server's own credentials are never used: a tenant's import reads what its keys may, or what anyone may.
    """

    def __init__(
        self, server: httpx.URL, bucket: str, prefix: str, keys: Keys | None, web: Web, *, at_once: int
    ) -> None:
        """`prefix` is empty, or ends with `/`."""
        self._server = server
        self._bucket = bucket
        self._prefix = prefix
        self._keys = keys
        self._web = web
        self._at_once = at_once

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        addresses: Addresses,
        endpoint: str = "",
        region: str = "",
        access_key: str = "",
        secret_key: str = "",
        at_once: int = 1000,
    ) -> Bucket:
        """The bucket at `s3://bucket/prefix`, `at_once` objects in an answer. Raises InvalidInput for a server that is not there or not allowed."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        folder = prefix.strip("/")
        region = region or _REGION
        try:
            server = httpx.URL(endpoint or f"https://s3.{region}.amazonaws.com")
        except httpx.InvalidURL:
            raise InvalidInput(f"{endpoint} is no address of a server") from None
        await addresses.resolve(server.host, server.port or 0)
        keys = Keys(access_key, secret_key, region) if access_key else None
        web = Web(addresses, most_bytes=MOST_BYTES, seconds=_SECONDS, redirects=0)
        return cls(server, bucket, f"{folder}/" if folder else "", keys, web, at_once=at_once)

    async def entries(self) -> AsyncIterator[Entry]:
        """The objects, by key. Raises InvalidInput, UpstreamError or Timeout."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": self._prefix, "max-keys": str(self._at_once)}
        given = 0
        while True:
            page = _parsed((await self._get("", query)).data)
            for item in page.iter("{*}Contents"):
                name = unquote_plus(item.findtext("{*}Key") or "").removeprefix(self._prefix)
                size = item.findtext("{*}Size") or ""
                if size.isdecimal() and int(size) and _is_plain(name):
                    yield Entry(name, int(size))
                given += 1
            token = page.findtext("{*}NextContinuationToken")
            if page.findtext("{*}IsTruncated") != "true" or not token:
                return
            if given >= _MOST_OBJECTS:
                raise InvalidInput(
                    f"the bucket holds more than {_MOST_OBJECTS:,} objects; name a part of it, s3://bucket/part"
                )
            query["continuation-token"] = token

    async def fetch(self, name: str) -> Content:
        """The bytes of an object. Raises InvalidInput (NotFound where it is gone), UpstreamError or Timeout."""
        if not _is_plain(name):
            raise NotFound("the object is not there (any more)")
        found = await self._get(f"/{self._prefix}{name}", {})
        return Content(found.data, found.media_type)

    async def close(self) -> None:
        """Ends what is open."""
        await self._web.close()

    async def _get(self, path: str, query: Mapping[str, str]) -> Fetched:
        path = f"{self._server.path.rstrip('/')}/{self._bucket}{path}"
        if self._keys is None:
            url = address(self._server, path, query)
        else:
            url = presigned(self._server, path, query, self._keys, at=datetime.now(UTC), seconds=round(_SECONDS))
        try:
            return await self._web.get(url)
        except NotFound:
            raise NotFound("there is no such bucket, or the object is not there (any more)") from None
        except Refused:
            raise InvalidInput(
                "the bucket refuses to be read: look at the keys, their rights, and the region"
            ) from None


def _is_plain(name: str) -> bool:
    """Whether a name is one that a key below the prefix can have, and none that is hidden."""
    return not any(part.startswith(".") for part in name.split("/")) and not name.endswith("/") and bool(name)


def _parsed(listing: bytes) -> etree._Element:
    try:
        page = etree.fromstring(listing, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        page = None
    if page is None or etree.QName(page).localname != "ListBucketResult":
        raise UpstreamError("the server of the bucket does not answer as S3 does; look at its address")
    return page
