"""What a document is made of, between its bytes and the searches that find it."""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """A piece of a document as its author made it: a section, a page, a row, a question with its answer.

    `loc` is its place (`#voir-facture`, `#page=3`, `#row=12`), unique in the document; `title` its heading or question,
    may be empty; `text` what stands there, without the title, of any length.
    """

    loc: str
    title: str
    text: str


class Passage(NamedTuple):
    """What is found and quoted: part of a Part, short enough to be one thought; `loc` is unique in the document."""

    loc: str
    title: str
    text: str
