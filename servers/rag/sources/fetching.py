"""Pages of the web, fetched without trust in the address, in redirects, or in how long or large an answer becomes."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import httpx

from servers.kit.errors import InvalidInput, NotFound, SalamError, Timeout, UpstreamError
from servers.rag.sources.addresses import Addresses

AGENT = "SalamBot"
"""How robots.txt calls us."""

SECONDS = 20.0
"""For a page, from the first redirect to the last byte."""

_USER_AGENT = f"Mozilla/5.0 (compatible; {AGENT}/1.0; imports a business's own pages)"
_MOST_BYTES = 10 * 1024 * 1024
_MOST_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_GONE = {404, 410}
_LATER = {408, 425, 429}


class Fetched(NamedTuple):
    """What an address answered: where redirects led, the media type with its charset, the bytes."""

    url: httpx.URL
    media_type: str
    data: bytes


class Refused(InvalidInput):
    """A page that is there, and is not given."""


class Web:
    """Fetches pages. Each connection goes to the very address that was checked, so that a name cannot change in between."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        most_bytes: int = _MOST_BYTES,
        seconds: float = SECONDS,
        redirects: int = _MOST_REDIRECTS,
    ) -> None:
        self._addresses = addresses
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._redirects = redirects
        # A connection is kept for no second request: two hosts of one address would share it.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds, limits=limits)

    async def get(self, url: httpx.URL) -> Fetched:
        """The page at an address. Raises InvalidInput (NotFound where it is gone, Refused), UpstreamError or Timeout."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url)
        except (TimeoutError, httpx.TimeoutException):
            raise Timeout(f"{url.host} did not answer within {self._seconds:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            raise UpstreamError(f"{url.host} cannot be reached, or answers what is no HTTP") from None

    async def close(self) -> None:
        """Ends what is open."""
        await self._client.aclose()

    async def _follow(self, url: httpx.URL) -> Fetched:
        for _ in range(self._redirects + 1):
            response = await self._send(url)
            try:
                if not response.has_redirect_location:
                    return await self._read(url, response)
                url = url.join(response.headers["location"]).copy_with(fragment=None)
            finally:
                await response.aclose()
        raise Refused("the page redirects more often than it should")

    async def _send(self, url: httpx.URL) -> httpx.Response:
        if url.scheme not in _PORTS or not url.host:
            raise InvalidInput("only addresses with http:// or https:// are read")
        address = await self._addresses.resolve(url.host, url.port or _PORTS[url.scheme])
        request = self._client.build_request(
            "GET",
            url.copy_with(host=address, username=None, password=None),
            headers={"Host": url.netloc.decode(), "User-Agent": _USER_AGENT, "Accept-Encoding": "gzip"},
            extensions={"sni_hostname": url.host},
        )
        return await self._client.send(request, stream=True)

    async def _read(self, url: httpx.URL, response: httpx.Response) -> Fetched:
        if problem := _problem(response.status_code):
            raise problem
        data = bytearray()
        async for chunk in response.aiter_bytes():  # inflated, a piece at a time
            data += chunk
            if len(data) > self._most_bytes:
                raise InvalidInput(f"what {url.host} sends is larger than {self._most_bytes >> 20} MB")
        return Fetched(url, response.headers.get("content-type", ""), bytes(data))


def _problem(status: int) -> SalamError | None:
    if status in _GONE:
        return NotFound("the page is not there (any more)")
    if status in _LATER or status >= 500:
        return UpstreamError(f"the site answered {status}; try again later")
    return None if 200 <= status < 300 else Refused(f"the site answered {status} instead of the page")
