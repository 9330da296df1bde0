"""Bytes as text, and text as one wants to search it."""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import Final

from charset_normalizer import from_bytes

from servers.kit.errors import InvalidInput

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OLDER = ["cp1256", "cp1252", "latin_1"]  # what Moroccan offices wrote before UTF-8
_SAMPLE = 100_000  # bytes that tell an encoding
_HALVES = 3  # first bytes of letters, that a text of UTF-16 mostly has: of Latin letters, Arabic ones, punctuation
_MOSTLY = 0.9
_PRESENTATION_FORMS = (*range(0xFB00, 0xFB07), *range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD))
_DROPPED = (
    *range(9), *range(14, 32), *range(127, 160),  # controls
    0xAD, 0x200B, 0xFEFF,  # where words may break
    0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),  # directions, which the letters tell by themselves
)  # fmt: skip


@cache
def _plain() -> dict[int, str | None]:
    forms = {code: unicodedata.normalize("NFKC", chr(code)).strip() for code in _PRESENTATION_FORMS}
    return {**forms, **dict.fromkeys(_DROPPED), ord("\r"): "\n", ord("\f"): "\n\n", ord("\v"): "\n"}


def plain(text: str) -> str:
    """Text without controls, direction marks and places to break a word, and with plain letters for presentation forms.

    `ﻻ`, `ﷲ` and `ﬁ` become `لا`, `الله` and `fi`; lines and pages end with `\\n`. Everything else stays as written.
    """
    return text.replace("\r\n", "\n").translate(_plain())


def one_line(text: str) -> str:
    """Text with single blanks for all that separates words."""
    return " ".join(text.split())


def decoded(data: bytes, charset: str = "") -> str:
    """Bytes as text: as their mark says, as UTF-8, as `charset` says, else as they look. Raises InvalidInput for no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if encoding := _without_mark(data):
        return data.decode(encoding, "replace")
    for encoding in ("utf-8", charset):
        with suppress(UnicodeDecodeError, LookupError, ValueError):
            return data.decode(encoding)
    sample = from_bytes(data[:_SAMPLE], cp_isolation=_OLDER).best()
    if sample is None:
        raise InvalidInput("this is no text that can be read; save it as UTF-8")
    return data.decode(sample.encoding, "replace")


def _without_mark(data: bytes) -> str:
    """UTF-16 without its mark: every other byte is one of few, zero among them, which no other text holds."""
    if len(data) % 2:
        return ""
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        halves = data[first:_SAMPLE:2]
        usual = dict(Counter(halves).most_common(_HALVES))
        if 0 in usual and sum(usual.values()) >= _MOSTLY * len(halves):
            return encoding
    return ""
