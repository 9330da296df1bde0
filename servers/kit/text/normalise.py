"""One written form for the many ways a Moroccan customer types the same words.

`normalise` is what every reader of text looks at: the features of the models, rules, lexicons. The models were trained
on what it writes, so its output never changes. It folds, in this order:

| written                                           | becomes                                                   |
|---------------------------------------------------|-----------------------------------------------------------|
| compatibility forms (NFKC): `ﷲ`, `ﻻ`, `ﬁ`, `Ｆ`, `²` | the plain letters: `الله`, `لا`, `fi`, `f`, `2`              |
| capitals                                          | small letters                                             |
| accents: `é`, `ç`; `œ`, `æ`, `ß`, `ø`, `ł`, `đ`, `ı` | the bare letter; `oe`, `ae`, `ss`, `o`, `l`, `d`, `i`     |
| `أ إ آ ٱ`, `ى ی ئ`, `ؤ`, `ة ۃ ہ`                       | `ا`, `ي`, `و`, `ه`                                          |
| `ک گ ڭ ݣ`, `ڨ`, `پ`, `ڤ ڥ`, `چ ژ`                       | `ك`, `ق`, `ب`, `ف`, `ج`                                      |
| a lone hamza, tatweel, vowel signs (Mn)           | nothing                                                   |
| joiners, direction marks (Cf), skin tones (Sk)    | nothing                                                   |
| digits of any script: `٢`                          | 0 to 9                                                    |
| `?`, `؟`, `⸮`; `!`                                 | `?`; `!`; each a word of its own                          |
| emoji and other symbols (So)                      | themselves, each a word of its own                        |
| everything else: punctuation, controls, blanks    | one blank between words, none at the ends                 |
| the same letter or sign three times or more       | once: `salaaaam` is `salam`; digits are never shortened   |

`offsets` tells where each character came from. `sound` goes further, to a rough consonant skeleton shared by both
scripts: `bghit`, `bghyt` and `بغيت` sound alike.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

STRETCHED = re.compile(r"([^\d\s])\1{2,}")
"""A character that `normalise` writes once."""

_ARABIC_FORMS = {
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ۃ": "ه", "ہ": "ه",
    "ک": "ك", "گ": "ك", "ڭ": "ك", "ݣ": "ك", "ڨ": "ق", "پ": "ب", "ڤ": "ف", "ڥ": "ف", "چ": "ج", "ژ": "ج",
    "ء": None, "ـ": None,
}  # fmt: skip
_LATIN_FORMS = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i"}
_MARKS = {"?": " ? ", "؟": " ? ", "⸮": " ? ", "!": " ! "}
_DROPPED = ("Mn", "Cf", "Sk")  # vowel signs, joiners and direction marks, skin tones


def _form(code: int) -> str | None:
    """What `normalise` writes for one lower-case character; None drops it."""
    character = chr(code)
    category = unicodedata.category(character)
    if category in _DROPPED:
        return None
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "So":  # emoji
        return f" {character} "
    if category[0] in "LN":
        base = unicodedata.normalize("NFD", character)[0]
        return base if base.isalpha() else character
    return " "


class _Forms(dict[int, str | None]):
    """Table for `str.translate` that learns each character the first time it is met."""

    def __missing__(self, code: int) -> str | None:
        form = self[code] = _form(code)
        return form


FORMS = _Forms(str.maketrans({**_ARABIC_FORMS, **_LATIN_FORMS, **_MARKS}))
"""What `normalise` writes for each lower-case code point: its folded form, blanks where words part, None for nothing."""


@lru_cache(maxsize=256)
def normalise(text: str) -> str:
    """The text as words, `?`, `!` and emoji separated by single spaces; never fails, may be empty.

    Kept for a moment: a message is normalised for each of its readers.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    folded = " ".join(text.lower().translate(FORMS).split())
    return STRETCHED.sub(r"\1", folded)


_OTHER_DIGIT = re.compile(r"(?![0-9])\d")


def ascii_digits(text: str) -> str:
    """The text with the digits of all scripts written 0 to 9; offsets stay the same."""
    if text.isascii() or not any(map(str.isdecimal, text)):
        return text
    return _OTHER_DIGIT.sub(_ascii_digit, text)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match[0]))


# Digraphs that one Arabic letter stands for, then letters that the two scripts share. Vowels are `a`, `w` and `y`.
_DIGRAPHS = (
    ("tch", "Š"), ("kh", "X"), ("gh", "Ğ"), ("ch", "Š"), ("sh", "Š"), ("ph", "f"), ("th", "t"), ("dh", "d"),
    ("qu", "k"), ("ou", "w"), ("ce", "se"), ("ci", "si"), (" ال", " ل"), ("x", "ks"),
)  # fmt: skip
_SOUNDS = {
    "a": "اae2", "w": "وwuo", "y": "يyi",
    "b": "بbp", "t": "تطثt6", "j": "جj", "H": "حه7h8", "X": "خX5", "d": "دذضظd", "r": "رr", "z": "زz", "s": "سصs",
    "S": "شŠ", "3": "ع3", "G": "غĞ", "f": "فfv", "k": "قكkq9c", "g": "g", "l": "لl", "m": "مm", "n": "نn",
}  # fmt: skip
SOUND_OF = {ord(letter): sound for sound, letters in _SOUNDS.items() for letter in letters}
"""Sound class of each letter; what is not listed sounds like itself."""

VOWELS = "awy"
"""Sound classes that are dropped inside a word: writers leave them out or choose them freely."""


def spell_sounds(normalised: str) -> str:
    """Replaces digraphs by single letters, so that each character is one sound."""
    for digraph, letter in _DIGRAPHS:
        normalised = normalised.replace(digraph, letter)
    return normalised


def sound(normalised: str) -> str:
    """Consonant skeleton of a normalised text: `bghit` and `بغيت` both give `bGt`."""
    skeletons = []
    for word in spell_sounds(f" {normalised} ").translate(SOUND_OF).split():
        kept = word[0] + "".join(
            letter for before, letter in pairwise(word) if letter != before and letter not in VOWELS
        )
        skeletons.append(kept)
    return " ".join(skeletons)
