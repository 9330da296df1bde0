"""Darija in the other script: Latin letters (arabizi) to Arabic ones and back.

    to_arabic("facture")                             # ["فاكتور", "فاكتورة", …]
    to_latin("شحال")                                  # ["ch7al", "chhal", …]
    transliterate("wach kayn 250dh ?", Script.ARABIC)  # "واش كاين 250dh ؟"

Moroccans spell as they hear: no spelling is the right one, so words have several candidates, best first. They are
learnt from pairs of spellings in the project's lexicon (`training/transliteration.py`): letters as digits, `ch` and
`sh`, vowels written or left out, doubled letters, plain and emphatic letters, the article, French loans. Of words that
the table was not made from, half have a spelling of the lexicon first and 7 in 10 among four, in both directions. A
word takes a millisecond or two of computing; the last few thousand are kept.

`transliteration.tsv` holds the graphones in its first line, but for the boundary. Behind it graphones are written as
one character each, that of their number. A line for every two that followed each other: the two, a tab, and for each
third one that one, then those that came next, with their counts where those are more than one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from servers.kit.text.graphones import ARABIC, BOUNDARY, LATIN, Counts, Graphone, JointModel, Side
from servers.kit.text.normalise import normalise

TABLE: Final = Path(__file__).with_name("transliteration.tsv")

_ASCII = range(0x3A, 0x7F)  # no digits among the characters that number graphones: they are the counts
_BEYOND = 0xA1
_FOLLOWER = re.compile(r"(\D)(\d*)")

_APOSTROPHES = str.maketrans("", "", "'’ʼ`")
_LETTERS = str.maketrans({"ڭ": "گ", "ݣ": "گ", "ڨ": "گ", "ک": "ك", "ی": "ي", "ہ": "ه", "ڥ": "ڤ", "ٱ": "ا"})
_MARKS = "\u0300-\u036f\u064b-\u065f\u0670\u200c\u200d"
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}]|['’ʼ](?=[^\W_]))*")
_CHUNK = re.compile(r"\S+")
_KEPT = re.compile(r"://|@|#|www\.|\.(?:com|ma|net|org|fr|info|io)(?:[/?:]|$)|\d\d", re.I)  # addresses, codes, amounts
_ARABIZI = re.compile(r"[a-z2-9]*[a-z][a-z2-9]*")
_MEASURE = re.compile(
    r"\d(?:dhs?|mad|[kcm]?m|[km]?g|[mg][bo]|m?l|h|min|j|e|er|eme)"
)  # `5g`, `3h`: numbers, not letters


class Script(StrEnum):
    """The scripts of Darija."""

    ARABIC = "arabic"
    LATIN = "latin"


_PUNCTUATION = {Script.LATIN: str.maketrans("؟،؛", "?,;"), Script.ARABIC: str.maketrans("?,;", "؟،؛")}


def to_arabic(word: str, limit: int = 4) -> list[str]:
    """Spellings in Arabic letters of one word in Latin ones, best first; none for what is not such a word."""
    return list(_spell(latin_letters(word), LATIN, limit))


def to_latin(word: str, limit: int = 4) -> list[str]:
    """Spellings in Latin letters of one word in Arabic ones, best first; none for what is not such a word."""
    return list(_spell(arabic_letters(word), ARABIC, limit))


def transliterate(text: str, script: Script) -> str:
    """The text with each word of the other script in its best spelling in `script`.

    Words of that script, numbers and what is written together with them, measures, addresses, emoji and blanks stay as
    they are; punctuation follows the script.
    """
    return _CHUNK.sub(lambda chunk: chunk[0] if _KEPT.search(chunk[0]) else _change(chunk[0], script), text)


def _change(chunk: str, script: Script) -> str:
    changed, done = [], 0
    for match in _WORD.finditer(chunk):
        between = chunk[done : match.start()]
        changed += [between.translate(_PUNCTUATION[script]), _best(match[0], script)]
        done = match.end()
    return "".join([*changed, chunk[done:].translate(_PUNCTUATION[script])])


def _best(word: str, script: Script) -> str:
    if script is Script.LATIN:
        return next(iter(to_latin(word, 1)), word)
    letters = latin_letters(word)
    if not _ARABIZI.fullmatch(letters) or _MEASURE.fullmatch(letters):
        return word
    return next(iter(to_arabic(word, 1)), word)


def latin_letters(text: str) -> str:
    """Words in Latin letters as the model reads them: small, without accents and apostrophes."""
    return normalise(text.translate(_APOSTROPHES))


def arabic_letters(word: str) -> str:
    """A word in Arabic letters as the model reads it: bare letters, those of other languages as Moroccans write them."""
    composed = unicodedata.normalize("NFKC", word).translate(_LETTERS)
    return "".join(letter for letter in composed if letter != "ـ" and unicodedata.category(letter) not in ("Mn", "Cf"))


@lru_cache(maxsize=1 << 13)
def _spell(word: str, side: Side, limit: int) -> Sequence[str]:
    return _model().spell(word, side, limit)


@cache
def _model() -> JointModel:
    return JointModel(*read_table())


def read_table(file: Path = TABLE) -> tuple[list[Graphone], Counts]:
    """The graphones, the boundary first, and what followed what."""
    first, *lines = file.read_text("utf-8").splitlines()
    graphones = [Graphone("", ""), *map(_graphone, first.split())]
    indices = {_symbol(index): index for index in range(len(graphones))}
    counts = {}
    for line in lines:
        begin, ends = line.split("\t")
        for end in ends.split(" "):
            counts[tuple(indices[symbol] for symbol in begin + end[0])] = {
                indices[symbol]: int(count or 1) for symbol, count in _FOLLOWER.findall(end[1:])
            }
    return graphones, counts


def write_table(graphones: Sequence[Graphone], counts: Counts, file: Path = TABLE) -> None:
    """Writes what `read_table` reads."""
    lines: dict[str, list[str]] = defaultdict(list)
    for history, followers in sorted(counts.items()):
        *begin, end = map(_symbol, history)
        symbols = (f"{_symbol(unit)}{count if count > 1 else ''}" for unit, count in sorted(followers.items()))
        lines["".join(begin)].append(end + "".join(symbols))
    first = " ".join(latin + arabic for latin, arabic in graphones[BOUNDARY + 1 :])
    rest = [f"{begin}\t{' '.join(ends)}" for begin, ends in lines.items()]
    file.write_text("\n".join([first, *rest]) + "\n", "utf-8")


def _graphone(letters: str) -> Graphone:
    latin = "".join(letter for letter in letters if letter.isascii())
    return Graphone(latin, letters.removeprefix(latin))


def _symbol(index: int) -> str:
    return chr(_ASCII[index] if index < len(_ASCII) else _BEYOND + index - len(_ASCII))
