"""Markdown by its headings."""

from __future__ import annotations

import re

from servers.rag.extraction.outline import Outline
from servers.rag.passages import Part

_OPENING = re.compile(r" {0,3}#{1,6}(?=[ \t]|$)")
_ANCHOR = re.compile(r"[\w.:=!-]{1,128}")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_LINE = re.compile(r"\r\n|\r|\n")


def parts_of(text: str) -> list[Part]:
    """The sections of a Markdown text, in order; none when it holds nothing but headings and blanks.

    `{#anchor}` behind a heading names its place, else the heading's words do. Lines that begin with `#` inside a code
    fence are no headings. Nothing but headings is left out.
    """
    outline = Outline()
    fence = ""
    body: list[str] = []
    for line in _LINE.split(text):
        if fence:
            mark = line.strip()
            if len(mark) >= len(fence) and not mark.strip(fence[0]):
                fence = ""
        elif found := _FENCE.match(line):
            fence = found[1]
        elif opening := _OPENING.match(line):
            outline.text("\n".join(body))
            outline.heading(*_heading(line[opening.end() :]))
            body = []
            continue
        body.append(line)
    outline.text("\n".join(body))
    return outline.parts()


def _heading(text: str) -> tuple[str, str]:
    """Title and anchor of what follows the opening of a heading."""
    title, anchor = text.strip(), ""
    before, brace, attribute = title.rpartition("{#")
    if brace and attribute.endswith("}") and _ANCHOR.fullmatch(attribute[:-1]):
        title, anchor = before.rstrip(), attribute[:-1]
    unclosed = title.rstrip("#")  # `## Title ##`, but not `## C#`
    if unclosed != title and (not unclosed or unclosed[-1].isspace()):
        title = unclosed.rstrip()
    return title, anchor
