"""Web pages: what a visitor came to read, without the menus around it."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.html_outline import SILENT, flat, outline_of
from servers.rag.extraction.letters import decoded, one_line, plain

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_HEAD = 2048  # bytes that say the encoding
_AROUND: Final = frozenset({"nav", "footer", "aside"})
_AROUND_ROLES: Final = frozenset({"navigation", "banner", "contentinfo", "complementary", "search", "alertdialog"})
_AROUND_NAMES: Final = frozenset(
    [
        "cookie",
        "cookies",
        "consent",
        "breadcrumb",
        "breadcrumbs",
        "navbar",
        "navigation",
        "sidebar",
        "footer",
        "share",
        "social",
        "newsletter",
        "skip",
    ]
)
_NAME = re.compile(r"[a-z]+")
_MAIN_SHARE = 0.3  # of a page's text that its <main> holds at least, or it is no help


def read_html(name: str, data: bytes, charset: str = "") -> Extracted:
    """The sections of a page's main content; headings with an `id` keep it as their place, so that citations open there."""
    page, whole = parsed(decoded(data, _charset(data) or charset))
    root, around = _content(page)
    parts = outline_of(root, around).parts()
    if not whole and not parts:
        raise InvalidInput("the page nests its elements too deeply to be read")
    warnings = () if whole else ("the page nests its elements too deeply; what stands behind them was left out",)
    return Extracted(_title(page) or name, "text/html", tuple(parts), warnings)


def parsed_page(data: bytes, charset: str = "") -> etree._Element:
    """The tree of a page, as far as it can be read. Raises InvalidInput for bytes that are no text."""
    return parsed(decoded(data, _charset(data) or charset))[0]


def parsed(text: str) -> tuple[etree._Element, bool]:
    """The tree of an HTML text, and whether all of it was read: libxml2 stops where it is nested 2,048 deep.

    Raises InvalidInput for an empty text.
    """
    parser = etree.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8")
    try:
        root = etree.fromstring(plain(text).encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:  # the parser mends all else
        raise InvalidInput("the page is empty, or takes more memory to read than there is for one") from None
    stopped = any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log)
    return root if root is not None else etree.Element("html"), not stopped


def _content(page: etree._Element) -> tuple[etree._Element, frozenset[etree._Element]]:
    """The element that holds what the page is for, and the elements in it that do not belong to that.

    Names of classes are only believed for what holds little of the text: `has-sidebar` may be said of the whole page.
    """
    body = page.find("body")
    body = page if body is None else body
    begun: list[int] = []
    sizes: dict[etree._Element, int] = {}
    letters = 0
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if event == "start":
            begun.append(letters)
            letters += len((element.text or "").strip()) if element.tag not in SILENT else 0
        else:
            before = begun.pop()
            if _is_main(element) or _is_around(element):
                sizes[element] = letters - before
            letters += len((element.tail or "").strip())
    mains = [element for element in sizes if _is_main(element) and sizes[element] >= letters * _MAIN_SHARE]
    root = max(mains, key=sizes.__getitem__, default=body)
    around = frozenset(
        element
        for element in sizes
        if _is_around(element) and element is not root and sizes[element] < letters * _MAIN_SHARE
    )
    return root, around


def _is_main(element: etree._Element) -> bool:
    return element.tag in {"main", "article"} or element.get("role") == "main"


def _is_around(element: etree._Element) -> bool:
    if element.tag in _AROUND or element.get("role") in _AROUND_ROLES or element.get("hidden") is not None:
        return True
    named = f"{element.get('class', '')} {element.get('id', '')}".lower()
    return not _AROUND_NAMES.isdisjoint(_NAME.findall(named))


def _title(page: etree._Element) -> str:
    """The page's only first heading, else what stands in its tab."""
    headings = page.findall(".//h1")
    if len(headings) == 1 and (title := flat(headings[0])):
        return title
    return one_line(page.findtext(".//title") or "")


def _charset(data: bytes) -> str:
    found = _CHARSET.search(data[:_HEAD])
    return found[1].decode() if found else ""
