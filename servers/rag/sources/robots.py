"""What sites ask of programs: robots.txt, read once a site."""

from __future__ import annotations

import httpx
from protego import Protego

from servers.kit.errors import InvalidInput, Timeout, UpstreamError
from servers.rag.sources.fetching import AGENT, Web

_LONGEST = 500 * 1024  # bytes that are read, as RFC 9309 has it
_LONGEST_PAUSE = 10.0


class Robots:
    """The rules of the sites that are visited. A site that has none, or cannot say so, allows everything (RFC 9309, 2.3.1).

    One that fails to answer allows nothing for now.
    """

    def __init__(self, web: Web) -> None:
        self._web = web
        self._rules: dict[str, Protego] = {}

    async def allow(self, url: httpx.URL) -> bool:
        """Whether a page may be read. Raises UpstreamError or Timeout."""
        return bool((await self._of(url)).can_fetch(str(url), AGENT))

    async def pause(self, url: httpx.URL, least: float) -> float:
        """Seconds to wait between two pages of a site, `least` where it asks for fewer."""
        asked = (await self._of(url)).crawl_delay(AGENT) or 0.0
        return max(least, min(asked, _LONGEST_PAUSE))

    async def _of(self, url: httpx.URL) -> Protego:
        site = f"{url.scheme}://{url.netloc.decode()}"
        if site not in self._rules:
            self._rules[site] = Protego.parse(await self._text(httpx.URL(f"{site}/robots.txt")))
        return self._rules[site]

    async def _text(self, url: httpx.URL) -> str:
        try:
            return (await self._web.get(url)).data[:_LONGEST].decode("utf-8", "replace")
        except (UpstreamError, Timeout):
            raise
        except InvalidInput:
            return ""
