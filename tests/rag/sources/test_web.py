"""Web pages, from a real server on this machine."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from servers.kit.errors import InvalidInput, NotFound, SalamError, Timeout, UpstreamError
from servers.rag.sources import Content, Skipped
from servers.rag.sources.addresses import Addresses
from servers.rag.sources.fetching import Web
from servers.rag.sources.web import WebPages
from tests.rag.sources.conftest import Page, Site


def page(*links: str, head: str = "", text: str = "du texte") -> str:
    anchors = "".join(f"<a href='{link}'>lien</a>" for link in links)
    return f"<html><head>{head}</head><body><main><p>{text}</p>{anchors}</main></body></html>"


def answering(**response: object) -> Page:
    async def answer(_: Request) -> Response:
        return Response(**response)  # type: ignore[arg-type]

    return answer


def redirecting(to: str) -> Page:
    async def answer(_: Request) -> Response:
        return RedirectResponse(to)

    return answer


@pytest.fixture
async def pages(site: Site) -> AsyncIterator[Callable[..., WebPages]]:
    """Opens a source at a path of the site."""
    opened = []

    def at(path: str, depth: int = 0, most: int = 100, seconds: float = 20.0) -> WebPages:
        opened.append(WebPages(f"{site.url}{path}", depth, most, Addresses(private=True), pause=0, seconds=seconds))
        return opened[-1]

    yield at
    for source in opened:
        await source.close()


async def listed(source: WebPages, site: Site) -> list[str]:
    return [entry.name.removeprefix(site.url) async for entry in source.entries()]


async def test_a_page_and_those_it_links_to_on_its_host_below_its_folder(
    site: Site, pages: Callable[..., WebPages]
) -> None:
    site.pages = {
        "/aide/": page(
            "a.html",
            "b.html#x",
            "/aide/a.html?utm_source=x",
            "/blog/c",
            "https://example.com/d",
            "logo.png",
            "mailto:a@b.c",
        ),
        "/aide/a.html": page("deep/d.html", "b.html"),
        "/aide/b.html": page("guide.pdf"),
        "/aide/deep/d.html": page("../e.html"),
    }
    assert await listed(pages("/aide/"), site) == ["/aide/"]
    assert await listed(pages("/aide/", 1), site) == ["/aide/", "/aide/a.html", "/aide/b.html"]
    site.asked.clear()
    source = pages("/aide/", 2)
    assert await listed(source, site) == [
        "/aide/",
        "/aide/a.html",
        "/aide/b.html",
        "/aide/deep/d.html",
        "/aide/guide.pdf",
    ]
    assert site.asked == ["/robots.txt", "/aide/", "/aide/a.html", "/aide/b.html"], (
        "no page twice, none of the last depth"
    )
    assert await listed(pages("/aide/", 2, 3), site) == ["/aide/", "/aide/a.html", "/aide/b.html"]
    asked = list(site.asked)
    assert await source.fetch(f"{site.url}/aide/a.html") == Content(
        site.pages["/aide/a.html"].encode(),
        "text/html; charset=utf-8",
        f"{site.url}/aide/a.html",  # type: ignore[union-attr]
    )
    assert site.asked == asked, "kept from the listing"
    assert all("SalamBot" in headers["user-agent"] for headers in site.headers)


async def test_what_a_site_asks_of_programs_is_done(site: Site, pages: Callable[..., WebPages]) -> None:
    site.pages = {
        "/robots.txt": "User-agent: *\nDisallow: /private\nDisallow: /*.php$\n",
        "/": page("/private/a", "/b.php", "/c", "/d"),
        "/c": page("/e", head="<meta name=robots content='noindex, nofollow'>"),
        "/d": page().replace("<main>", "<main><a rel='nofollow' href='/f'>x</a>"),
        "/private/a": page(),
    }
    source = pages("/", 2)
    assert await listed(source, site) == ["/", "/private/a", "/b.php", "/c", "/d"]
    for path in ("/private/a", "/b.php"):
        with pytest.raises(Skipped, match="robots"):
            await source.fetch(site.url + path)
        assert path not in site.asked
    site.pages["/robots.txt"] = answering(status_code=503)
    with pytest.raises(UpstreamError):
        await pages("/").fetch(f"{site.url}/")


async def test_a_page_s_own_address_is_what_it_says_within_the_site(site: Site, pages: Callable[..., WebPages]) -> None:
    site.pages = {
        "/": page("/a?session=1", "/a?session=2", "/b"),
        "/a?session=1": page(head="<link rel=canonical href='/a'>"),
        "/a?session=2": page(head="<link rel=canonical href='/a'>"),
        "/b": page(head="<link rel=canonical href='https://example.com/b'>"),
    }
    assert await listed(pages("/", 2), site) == ["/", "/a", "/b"]
    assert (await pages("/b").fetch(f"{site.url}/b")).url == f"{site.url}/b"


async def test_redirects_are_followed_within_the_site(site: Site, pages: Callable[..., WebPages]) -> None:
    site.pages = {
        "/short": redirecting("/aide/"),
        "/aide/": page("/aide/a", "/aide/loop", "/aide/out"),
        "/aide/a": redirecting("/aide/b"),
        "/aide/b": page(),
        "/aide/loop": redirecting("/aide/loop"),
        "/aide/out": redirecting("/elsewhere"),
        "/elsewhere": page(),
    }
    source = pages("/short", 1)
    assert await listed(source, site) == ["/aide/", "/aide/a", "/aide/loop", "/aide/out"]
    assert (await source.fetch(f"{site.url}/aide/a")).url == f"{site.url}/aide/b"
    with pytest.raises(InvalidInput, match="redirects"):
        await source.fetch(f"{site.url}/aide/loop")
    with pytest.raises(Skipped):
        await source.fetch(f"{site.url}/aide/out")


async def test_a_listing_is_fetched_by_another_process_where_the_first_page_redirects(
    site: Site, pages: Callable[..., WebPages]
) -> None:
    site.pages = {
        "/short": redirecting("/aide/"),
        "/aide/": page("/aide/a"),
        "/aide/a": page(text="A"),
        "/other": page(),
    }
    assert await listed(pages("/short", 1), site) == ["/aide/", "/aide/a"]
    assert b"A" in (await pages("/short", 1).fetch(f"{site.url}/aide/a")).data
    with pytest.raises(Skipped):
        await pages("/short", 1).fetch(f"{site.url}/other")


async def test_private_addresses_are_refused_at_each_step(site: Site) -> None:
    site.pages = {
        "/": redirecting("http://169.254.169.254/latest/meta-data/"),
        "/file": redirecting("file:///etc/passwd"),
    }
    with pytest.raises(InvalidInput, match="public"):
        await WebPages(site.url, 0, 1, Addresses()).fetch(site.url)
    assert not site.asked
    web = Web(Addresses(private=True))
    for path in ("/", "/file"):
        with pytest.raises(InvalidInput):
            await web.get(httpx.URL(site.url + path))
    await web.close()


async def test_the_address_that_was_checked_is_the_one_connected_to(site: Site, pages: Callable[..., WebPages]) -> None:
    """A name whose address changes between the check and the connection gains nothing: it is resolved once."""
    resolved = []

    class Rebinding(Addresses):
        async def resolve(self, host: str, port: int) -> str:
            resolved.append(host)
            return "127.0.0.1"

    port = httpx.URL(site.url).port
    site.pages = {"/": page()}
    web = Web(Rebinding())
    fetched = await web.get(httpx.URL(f"http://help.example:{port}/"))
    await web.close()
    assert resolved == ["help.example"]
    assert site.headers[-1]["host"] == f"help.example:{port}"
    assert str(fetched.url) == f"http://help.example:{port}/"


async def test_pages_that_are_too_large_or_too_slow_are_given_up(site: Site, pages: Callable[..., WebPages]) -> None:
    async def endless(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    async def slow(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.1)

        return StreamingResponse(pieces())

    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000))
    site.pages = {
        "/endless": endless,
        "/slow": slow,
        "/bomb": answering(content=gzip.decompress(bomb), headers={"content-encoding": "gzip"}),
    }
    source = pages("/")
    for path in ("/endless", "/bomb"):
        with pytest.raises(InvalidInput, match="larger"):
            await source.fetch(site.url + path)
    with pytest.raises(Timeout):
        await pages("/", seconds=1.0).fetch(f"{site.url}/slow")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (410, NotFound), (403, InvalidInput), (429, UpstreamError), (500, UpstreamError)],
)
async def test_answers_that_are_no_page(
    site: Site, pages: Callable[..., WebPages], status: int, error: type[SalamError]
) -> None:
    site.pages = {"/": page("/a"), "/a": answering(status_code=status)}
    source = pages("/", 2)
    assert await listed(source, site) == ["/", "/a"], "a page that cannot be read hinders no other"
    with pytest.raises(error):
        await source.fetch(f"{site.url}/a")


async def test_a_site_that_is_not_there_is_said_to_be() -> None:
    source = WebPages("http://127.0.0.1:1/", 1, 10, Addresses(private=True))
    with pytest.raises(UpstreamError):
        [entry async for entry in source.entries()]
    for url in ("http://", "http://[", "ftp://example.com/"):
        with pytest.raises(InvalidInput):
            await WebPages(url, 0, 1, Addresses(private=True)).fetch(url)
