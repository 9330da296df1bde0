"""Pages of one site: a page, and those it links to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from email.message import Message

import httpx

from servers.kit.errors import InvalidInput, SalamError
from servers.rag.sources.addresses import Addresses
from servers.rag.sources.fetching import SECONDS, Fetched, Web
from servers.rag.sources.interfaces import Content, Entry, Skipped
from servers.rag.sources.links import links_of, plain_address
from servers.rag.sources.robots import Robots

_MOST_LINKS = 10_000  # that wait to be looked at
_MOST_KEPT = 64 * 1024 * 1024  # bytes read while listing, kept for `fetch`
_HTML = {"text/html", "application/xhtml+xml"}


class WebPages:
    """A source: see interfaces.Source. Pages are named by their addresses, all on one host and below one folder."""

    def __init__(
        self, url: str, depth: int, most: int, addresses: Addresses, *, pause: float = 0.5, seconds: float = SECONDS
    ) -> None:
        """`depth` links away from `url`, `most` pages; `pause` seconds between two, `seconds` for each. Raises InvalidInput for no address."""
        try:
            self._start = plain_address(httpx.URL(url))
        except httpx.InvalidURL:
            raise InvalidInput(f"{url} is no address of a page") from None
        self._depth = depth
        self._most = most
        self._pause = pause
        self._web = Web(addresses, seconds=seconds)
        self._robots = Robots(self._web)
        self._kept: dict[str, Content] = {}
        self._next_at = 0.0

    async def entries(self) -> AsyncIterator[Entry]:
        """The pages, nearest first. Those at the last depth are not fetched yet; what is wrong with one, `fetch` says."""
        waiting = deque([(self._start, 0)])
        seen = {self._start}
        given: set[str] = set()
        while waiting and len(given) < self._most:
            url, depth = waiting.popleft()
            name, links = await self._look(url) if depth < self._depth or depth == 0 else (str(url), [])
            if name not in given:
                given.add(name)
                yield Entry(name)
            for link in links if depth < self._depth else []:
                if link not in seen and len(waiting) < _MOST_LINKS and self._within(link):
                    seen.add(link)
                    waiting.append((link, depth + 1))

    async def fetch(self, name: str) -> Content:
        """A page, as it was when it was listed, or now. Raises Skipped, InvalidInput, UpstreamError or Timeout."""
        if name in self._kept:
            return self._kept.pop(name)
        url = httpx.URL(name)
        if not self._within(url):  # listed before a restart, where the first page redirected to
            await self._get(self._start)
            if not self._within(url):
                raise Skipped("the page is not of this site")
        page = await self._get(url)
        return await asyncio.to_thread(_content, page)

    async def close(self) -> None:
        """Ends what is open."""
        self._kept.clear()
        await self._web.close()

    async def _look(self, url: httpx.URL) -> tuple[str, list[httpx.URL]]:
        """The name of a page and its links; the page itself is kept."""
        try:
            page = await self._get(url)
        except (Skipped, SalamError) as problem:
            if url == self._start and not isinstance(problem, Skipped):
                raise
            return str(url), []
        links = links_of(page.url, page.data, _charset(page.media_type)) if _is_html(page) else None
        own = links.canonical if links is not None and links.canonical is not None else page.url
        name = str(own if self._within(own) else page.url)
        if sum(len(kept.data) for kept in self._kept.values()) + len(page.data) <= _MOST_KEPT:
            self._kept[name] = Content(page.data, page.media_type, name)
        return name, links.follow if links is not None else []

    async def _get(self, url: httpx.URL) -> Fetched:
        if not await self._robots.allow(url):
            raise Skipped("the site's robots.txt asks programs not to read this page")
        await self._wait(url)
        page = await self._web.get(url)
        if url == self._start:
            self._start = page.url  # what http:// or a short address led to is the site that is meant
        elif not self._within(page.url):
            raise Skipped(f"the page leads elsewhere, to {page.url.host}")
        if page.url != url and not await self._robots.allow(page.url):
            raise Skipped("the site's robots.txt asks programs not to read the page this one leads to")
        return page

    async def _wait(self, url: httpx.URL) -> None:
        """Until it is polite to ask for another page."""
        now = asyncio.get_running_loop().time()
        begins = max(now, self._next_at)
        self._next_at = begins + await self._robots.pause(url, self._pause)
        await asyncio.sleep(begins - now)

    def _within(self, url: httpx.URL) -> bool:
        """Whether an address is on the host and below the folder of the first page."""
        folder, _, last = self._start.path.rpartition("/")
        root = folder if "." in last else self._start.path.rstrip("/")
        same = url.host == self._start.host and url.port == self._start.port
        return same and (url.path == root or url.path.startswith(f"{root}/"))


def _content(page: Fetched) -> Content:
    links = links_of(page.url, page.data, _charset(page.media_type)) if _is_html(page) else None
    own = links.canonical if links is not None and links.canonical is not None else page.url
    return Content(page.data, page.media_type, str(own if own.host == page.url.host else page.url))


def _is_html(page: Fetched) -> bool:
    return page.media_type.partition(";")[0].strip().lower() in _HTML


def _charset(media_type: str) -> str:
    said = Message()
    said["content-type"] = media_type or "text/html"
    return str(said.get_param("charset", ""))
