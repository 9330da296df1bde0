"""How a name may be written: Arabic articles and glued prepositions, other letters of the same sound.

Names and messages are compared as sequences of words, as `normalise` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from servers.kit.text.normalise import VOWELS, sound

MOST_WORDS = 16
"""Longer names are not looked for: nobody types them."""

_ARTICLE = "ال"
_SHORTEST = 3  # letters of a word that something can be glued to
_PROCLITICS = tuple(
    f"{conjunction}{preposition}"
    for conjunction in ("", "و", "ف")
    for preposition in ("", "ب", "ل", "لل", "ف", "د", "ك")
    if conjunction or preposition
)
"""What Arabic script glues to a word: and, so, with, for, to the, in, of, like."""
_ELISIONS = ("l", "d", "dl")  # of Darija in Latin letters: `lbox`, `dbox`, `dlbox`

_FRENCH_S = str.maketrans("z", "s")  # between vowels it is a z: `visa`, `فيزا`
_FOREIGN = "g"
_FOREIGN_AS = "gGjk"  # Arabic script writes it as it pleases: سامسونغ، سامسونج، سامسونگ
_FEWEST_SOUNDS = 5
_FEWEST_IN_ONE_SCRIPT = 6  # where consonants alone would make `baskets` of `biscuits`
_LETTER_DIGIT = re.compile(r"(?<!\d)[3579](?!\d)")
_FEWEST_LETTERS = 3


def words_of(name: str) -> list[str]:
    """The words of a normalised name; none for one that cannot be looked for."""
    words = [word for word in name.split() if word[0].isalnum()]
    return words if len(words) <= MOST_WORDS else []


def forms(words: Sequence[str]) -> list[list[str]]:
    """How the words of a name are looked for: without articles, and the first also as it is (`ألياف` has none)."""
    if not words:
        return []
    bare = [_without_article(word) for word in words]
    return [bare] if bare[0] == words[0] else [bare, [words[0], *bare[1:]]]


def readings(word: str) -> list[tuple[int, str]]:
    """What a word of a message may be: with and without its article, and what is glued to it.

    Each with the number of letters that are left out (an article is a part of the name); the first leaves out none.
    """
    glued = _PROCLITICS if word[0] in "وفبلدك" else _ELISIONS if word[0] in "ld" else ()
    rests = [(0, word)] + [
        (len(prefix), word[len(prefix) :])
        for prefix in glued
        if word.startswith(prefix) and len(word) >= len(prefix) + _SHORTEST
    ]
    return [(skipped, form) for skipped, rest in rests for form in dict.fromkeys((_without_article(rest), rest))]


def _without_article(word: str) -> str:
    """`فاتورة` for `الفاتورة`."""
    return word[2:] if word.startswith(_ARTICLE) and len(word) >= 2 + _SHORTEST else word


def sounds_of(words: Sequence[str]) -> list[str]:
    """The consonant skeleton of each word, one for both scripts; words with digits that are no letters stay."""
    spoken = sound(" ".join(words)).translate(_FRENCH_S).split()
    return [_opened(skeleton) if _is_spoken(word) else word for word, skeleton in zip(words, spoken, strict=True)]


def renderings(skeletons: Sequence[str]) -> list[list[str]]:
    """The skeletons of a name, and those that the other script may make of them."""
    if not any(_FOREIGN in skeleton for skeleton in skeletons):
        return [list(skeletons)]
    return [[skeleton.replace(_FOREIGN, letter) for skeleton in skeletons] for letter in _FOREIGN_AS]


def is_telling(skeletons: Sequence[str], *, one_script: bool = False) -> bool:
    """Whether skeletons have consonants enough to be taken for nothing else."""
    consonants = sum(letter.isalpha() and letter not in VOWELS for skeleton in skeletons for letter in skeleton)
    return consonants >= (_FEWEST_IN_ONE_SCRIPT if one_script else _FEWEST_SOUNDS)


def is_arabic(words: Sequence[str]) -> bool:
    """Whether words are in Arabic letters; of both scripts, the first word with letters says."""
    letters = (word[0] for word in words if word[0].isalpha())
    return "\u0600" <= next(letters, "") <= "\u06ff"


def _opened(skeleton: str) -> str:
    """One vowel at the start: `internet` and `انترنت`."""
    return f"a{skeleton[1:]}" if skeleton[0] in VOWELS else skeleton


def _is_spoken(word: str) -> bool:
    """Whether its digits, if any, are Arabizi letters: in `9ahwa`, not in `s24`, `5go` or `12`."""
    if word.isalpha():
        return True
    letters = _LETTER_DIGIT.sub("", word)
    return len(letters) >= _FEWEST_LETTERS and letters.isalpha()
