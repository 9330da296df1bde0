"""Where each character of a normalised text stands in the text as it was written.

    found = normalise_with_offsets("Où est ma FACTURE ?!")
    found.text                # "ou est ma facture ? !", what `normalise` writes
    found.original(10, 17)    # (10, 17): "FACTURE"

Offsets are code points. What is cut by them is never half of what a reader sees as one: a letter keeps its accents and
vowel signs, an emoji its skin tone, a family its members, a flag both its letters. A normalised character that is only
a part of such a cluster (`ﷺ` becomes four words) has the span of the whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from servers.kit.text.normalise import FORMS, STRETCHED

_SILENT = "ءـ"  # letters that are dropped, and still belong to their word
_JOINER = "\u200d"
_OTHER, _EXTENDS, _JOINS, _SYMBOL, _FLAG = ".", "+", "z", "e", "r"
_ATTACHED = re.compile(
    "[\u200c\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # non-joiner, skin tones, tags
    "\u1160-\u11ff\U00016d63\U00016d67]"  # vowels and finals of Hangul, vowels of Kirat Rai
)
_COMPOUND = re.compile("[+zr]")
_CLUSTER = re.compile(r"(?:rr|e(?:[+z]*ze)*|.)[+z]*")


class Normalised(NamedTuple):
    """A normalised text; `starts[i]` and `ends[i]` bound what its character i was made from. Neither ever decreases."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that `text[start:end]` was made from; an empty one for an empty one.

        Raises ValueError where the span is not one of the normalised text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"[{start}:{end}] is no span of {len(self.text)} characters")
        if start < end:
            return self.starts[start], self.ends[end - 1]
        place = self.starts[start] if start < len(self.text) else max(self.ends, default=0)
        return place, place


class Word(NamedTuple):
    """A word as `normalise` writes it; `text[start:end]` of the original is how the customer did."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """The words, `?`, `!` and emoji of a text in order; they overlap only where one character makes several words."""
    normalised, starts, ends = normalise_with_offsets(text)
    found, start = [], 0
    for word in normalised.split():
        end = start + len(word)
        found.append(Word(word, starts[start], ends[end - 1]))
        start = end + 1
    return found


def normalise_with_offsets(text: str) -> Normalised:
    """What `normalise` writes, and where it comes from."""
    kept: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    inside = False  # a word that goes on
    begun: int | None = None  # where a word began with silent letters
    for character, start, end in zip(*_clustered(text), strict=True):
        form = FORMS[ord(character)]
        if form is None:
            if character in _SILENT:
                if inside:
                    ends[-1] = end
                elif begun is None:
                    begun = start
            continue
        if form[0] == " ":
            inside, begun = False, None
        for letter in form.strip():
            first = start if begun is None else begun
            if not inside and kept:
                kept.append(" ")
                starts.append(min(ends[-1], first))
                ends.append(max(ends[-1], first))
            kept.append(letter)
            starts.append(first)
            ends.append(end)
            inside, begun = True, None
        if form[-1] == " ":
            inside = False
    return _shorten("".join(kept), starts, ends)


def _shorten(text: str, starts: list[int], ends: list[int]) -> Normalised:
    """Stretched characters once, with the span of all."""
    if STRETCHED.search(text) is None:
        return Normalised(text, starts, ends)
    first: list[int] = []
    last: list[int] = []
    done = 0
    for match in STRETCHED.finditer(text):
        first += starts[done : match.start() + 1]
        last += [*ends[done : match.start()], ends[match.end() - 1]]
        done = match.end()
    return Normalised(STRETCHED.sub(r"\1", text), first + starts[done:], last + ends[done:])


def _clustered(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """The text composed and in small letters, and the span of the cluster that each of its characters comes from."""
    lower = text.lower()
    classes = "" if text.isascii() else text.translate(_classes)
    if not _COMPOUND.search(classes) and len(lower) == len(text) and unicodedata.is_normalized("NFKC", text):
        return lower, range(len(text)), range(1, len(text) + 1)
    spans = [match.span() for match in _CLUSTER.finditer(classes)]
    composed = [unicodedata.normalize("NFKC", text[start:end]) for start, end in spans]
    sizes = [len(cluster.lower()) for cluster in composed]  # a capital may be lowered to a letter and a mark
    return (
        "".join(composed).lower(),  # all at once, for a sigma is lowered by what stands around it
        [start for (start, _), size in zip(spans, sizes, strict=True) for _ in range(size)],
        [end for (_, end), size in zip(spans, sizes, strict=True) for _ in range(size)],
    )


def _class(character: str) -> str:
    """What a character does to the cluster before it.

    Whatever NFKC may compose with the character before it extends the cluster, so that clusters are composed each for
    itself: marks, and vowels and finals of syllables, also behind a compatibility form.
    """
    first = unicodedata.normalize("NFKD", character)[0]
    if character == _JOINER:
        return _JOINS
    if unicodedata.category(first)[0] == "M" or _ATTACHED.match(first):
        return _EXTENDS
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return _FLAG
    return _SYMBOL if unicodedata.category(character) in ("So", "Sm") else _OTHER


class _Classes(dict[int, str]):
    """Table for `str.translate` that learns each character the first time it is met."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _class(chr(code))
        return found


_classes = _Classes()
