"""Names of persons: introduced (`smiti Karim`, `Mme Bennani`, `اسمي`), or a Moroccan given name before a family name.

A name is a name by its capital, by the list of Moroccan names, or because somebody says that it is theirs. What is only a
given name, with nobody to introduce it, is left alone: `amal` is also hope, and `said` is also English.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from servers.kit.text.folding import Folded, fold

_FILE = Path(__file__).parent / "names.tsv"
_MOST_WORDS = 4
_NOBODY: frozenset[str] = frozenset()
_TELLING = ("introducing", "title", "given")

_WORD = re.compile(r"[^\W\d_]\w*(?:[-'’][^\W\d_]\w*)*")
_PART = re.compile(r"\w+")
_INTRODUCTION = re.compile(
    r"(?<!\w)(?:je m ?['’]? ?appelle|mon nom(?: complet)? (?:c['’])?est|moi c['’]est|(?:nom|prenom)(?: et prenom| complet)? ?:"
    r"|my (?:full )?name(?: is|['’]s)|name ?:|(?:ana )?s[mi]+[iy]*ti(?: hiya| hia)?|(?:ana )?[ie]smi"
    r"|سميتي(?: هي)?|اسمي(?: هو)?|الاسم(?: الكامل)? ?:)[ :]{1,3}"
)
_TITLE = re.compile(
    r"(?<!\w)(?:m\.|mr\.?|mrs\.?|ms\.?|miss|mme\.?|mlle\.?|monsieur|madame|mademoiselle|lalla|si|haj|hajja"
    r"|السيد|السيده|الانسه|للسيد|للسيده|سي|لاله|الحاج|الحاجه) {1,2}"
)
_ROMAN = re.compile(r"[IVX]+")
_NISBA = re.compile(r"ال\w{2,}ي|بن\w{3,}")  # العلوي, بنعلي
_ON = "على"  # folded it is Ali, علي


class Name(NamedTuple):
    """`text[start:end]` is a person's name; `value` begins each word with a capital."""

    value: str
    start: int
    end: int


class _Word(NamedTuple):
    form: str
    written: str
    start: int  # in the folded text
    end: int

    @property
    def roles(self) -> frozenset[str]:
        return _roles().get(self.form, _NOBODY)

    @property
    def is_capitalised(self) -> bool:
        return self.written[0].isupper()

    @property
    def is_impossible(self) -> bool:
        return "never" in self.roles or self.written == _ON or _ROMAN.fullmatch(self.written) is not None

    @property
    def is_family(self) -> bool:
        return "family" in self.roles or ("never" not in self.roles and _NISBA.fullmatch(self.form) is not None)


def find_names(text: str) -> Iterator[Name]:
    """Names in the text, in no order; they may overlap."""
    folded = fold(text)
    cues = _cues().intersection(_PART.findall(folded.text))
    if not cues:
        return
    told = {role for cue in cues for role in _roles()[cue]}
    words = [_Word(match[0], folded.written(*match.span()), *match.span()) for match in _WORD.finditer(folded.text)]
    found: list[Sequence[_Word]] = []
    if "introducing" in told:
        found += _behind(_INTRODUCTION, folded, words, lambda cue, word: True)
    if "title" in told:
        found += _behind(_TITLE, folded, words, _is_titled)
    if "given" in told:
        found += _in_full(folded, words)
    for name in found:
        value = " ".join(word.written[:1].upper() + word.written[1:] for word in name)
        yield Name(value, *folded.span(name[0].start, name[-1].end))


def _behind(
    cue: re.Pattern[str], folded: Folded, words: Sequence[_Word], is_name: Callable[[str, _Word], bool]
) -> Iterator[Sequence[_Word]]:
    places = {word.start: place for place, word in enumerate(words)}
    for match in cue.finditer(folded.text):
        place = places.get(match.end())
        if place is not None and not words[place].is_impossible and is_name(match[0].strip(), words[place]):
            yield words[place : _end(folded, words, place)]


def _is_titled(title: str, word: _Word) -> bool:
    """Whether a title makes it a name; a familiar one (`si`, which is also French for "if") only a given name."""
    if "given" in word.roles:
        return True
    return "familiar" not in _roles().get(title, _NOBODY) and (word.is_family or word.is_capitalised)


def _in_full(folded: Folded, words: Sequence[_Word]) -> Iterator[Sequence[_Word]]:
    """A given name and the family name behind it."""
    place = 0
    while place < len(words):
        end = _end(folded, words, place) if "given" in words[place].roles else place + 1
        name = words[place:end]
        titled = name[0].is_capitalised and name[-1].is_capitalised and not name[0].written.isupper()
        if len(name) > 1 and (titled or any(word.is_family for word in name[1:])):
            yield name
        place = end


def _end(folded: Folded, words: Sequence[_Word], first: int) -> int:
    """Index behind the last word of the name that begins with the word `first`.

    Capitals lead on where they mean something: `Karim BENALI`, but not `AMINA BGHIT`.
    """
    capitals = words[first].is_capitalised and not words[first].written.isupper()
    end = first + (2 if _is_particle(folded, words, first) else 1)
    while end < min(len(words), first + _MOST_WORDS) and _is_beside(folded, words, end):
        word = words[end]
        particle = _is_particle(folded, words, end)
        named = "given" in word.roles or word.is_family or (capitals and word.is_capitalised)
        if word.is_impossible or not (named or particle):
            break
        end += 2 if particle else 1
    return end


def _is_particle(folded: Folded, words: Sequence[_Word], place: int) -> bool:
    """Whether it is the `el` of `el Amrani`."""
    if "particle" not in words[place].roles or place + 1 == len(words):
        return False
    return _is_beside(folded, words, place + 1) and not words[place + 1].is_impossible


def _is_beside(folded: Folded, words: Sequence[_Word], place: int) -> bool:
    """Whether a blank or two part a word from the one before."""
    gap = folded.text[words[place - 1].end : words[place].start]
    return gap in (" ", "  ")


@cache
def _cues() -> frozenset[str]:
    """The words that a name does not go without."""
    return frozenset(form for form, roles in _roles().items() if not roles.isdisjoint(_TELLING))


@cache
def _roles() -> Mapping[str, frozenset[str]]:
    """What each folded word may be: a `given` or `family` name, `introducing` one, a `title`, a `familiar` one, a
    `particle` of names, or `never` a name."""
    roles: dict[str, set[str]] = {}
    with _FILE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            for spelling in filter(None, (*row["latin"].split("|"), *row["arabic"].split("|"))):
                roles.setdefault(fold(spelling).text, set()).add(row["kind"])
    return {form: frozenset(kinds) for form, kinds in roles.items()}
