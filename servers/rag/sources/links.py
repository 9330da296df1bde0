"""What a page says of other pages: its links, and which address is its own."""

from __future__ import annotations

import mimetypes
from typing import NamedTuple

import httpx

from servers.rag.extraction.html import parsed_page

_NOT_TEXT = ("image/", "audio/", "video/", "font/", "text/css", "text/javascript", "application/javascript")
_LONGEST = 2000


class Links(NamedTuple):
    """The addresses a page leads to, in their order, and its canonical one, where it names one."""

    follow: list[httpx.URL]
    canonical: httpx.URL | None


def links_of(url: httpx.URL, data: bytes, charset: str) -> Links:
    """The links of an HTML page that it lets others follow, without what is plainly no text."""
    page = parsed_page(data, charset)
    base = _joined(url, next((element.get("href", "") for element in page.iter("base")), "")) or url
    names = (element.get("href", "") for element in page.iter("link") if element.get("rel", "").lower() == "canonical")
    canonical = next((_joined(base, name) for name in names if name), None)
    metas = (element for element in page.iter("meta") if element.get("name", "").lower() == "robots")
    said = " ".join(element.get("content", "") for element in metas).lower()
    follow: dict[httpx.URL, None] = {}
    if "nofollow" not in said and "none" not in said:
        for anchor in page.iter("a", "area"):
            if "nofollow" not in anchor.get("rel", "").lower() and (link := _joined(base, anchor.get("href", ""))):
                follow[link] = None
    return Links(list(follow), canonical)


def plain_address(url: httpx.URL) -> httpx.URL:
    """An address without what does not change the page: the fragment, an empty path, names of campaigns."""
    kept = [(name, value) for name, value in url.params.multi_items() if not name.startswith("utm_")]
    plain = url.copy_with(fragment=None, path=url.path or "/")
    return (
        plain if len(kept) == len(url.params.multi_items()) else plain.copy_with(params=httpx.QueryParams(tuple(kept)))
    )


def _joined(base: httpx.URL, link: str) -> httpx.URL | None:
    try:
        url = plain_address(base.join(link.strip()))
    except (httpx.InvalidURL, ValueError):
        return None
    media_type = mimetypes.guess_type(url.path)[0] or ""
    fits = url.scheme in {"http", "https"} and bool(url.host) and len(str(url)) <= _LONGEST
    return url if fits and not media_type.startswith(_NOT_TEXT) else None
