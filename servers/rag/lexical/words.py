"""Words as searches compare them: their stems, and the skeletons that the spellings of two scripts share.

    stem("factures")        # "factur", as of "facture"
    stem("بالفاتورة")        # "فاتور", as of "الفاتورة"
    skeletons("lfactura")   # ("fktr",), as of "الفاكتورة" and of "facture"

Nobody says which language a word is in, so the rules look at its letters alone. Latin letters are stemmed by the rules of
English, then by those of French, in whatever language they are: question and passage go the same way, and what both
rules change is rarely the same word. Arabic letters lose what Moroccan and Standard Arabic write together with a word:
conjunction, preposition, article, endings (the light stemming of Larkey et al., 2002, which searches better than roots).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import Final

import Stemmer

from servers.kit.text.normalise import SOUND_OF, VOWELS, normalise, spell_sounds
from servers.rag.lexical.memo import Memo

_LONGEST = 40
"""Letters of a word that are looked at."""

_SIGNS = frozenset("?!")
_ARABIC = re.compile(r"[ء-ي]")
_PREFIXES = ("وبال", "وال", "فال", "بال", "كال", "لل", "ال")
_SUFFIXES = (
    ("تها", "تهم", "تنا", "تكم", "ها", "هم", "نا", "كم", "ات", "ون", "ين", "ان", "يه", "تي", "تك", "ته", "ه", "ي"),
    ("ك", "ش"),
)
_SHORTEST = 3  # letters that stay

_SOFT = (("ge", "je"), ("gi", "ji"), ("gy", "jy"), ("guj", "gj"), ("ç", "s"))
_MERGED = str.maketrans({"z": "s", "G": "g"})
_ARTICLE = re.compile(r"l(?=[^aeiouwy0-9])")
_DROPPED = str.maketrans("", "", VOWELS)


def words(text: str) -> list[str]:
    """The words of a text in order, as `normalise` writes them, without signs.

    `normalise` never looks across a blank, and the same tokens come again and again: passages are read in a third of the time.
    """
    return list(chain.from_iterable(map(_WORDS_OF.__getitem__, text.split())))


def is_arabic(word: str) -> bool:
    """Whether a normalised word is in Arabic letters."""
    return "\u0600" <= word[0] <= "\u06ff"


def stem(word: str) -> str:
    """What the forms of a normalised word have in common."""
    if is_arabic(word):
        return _arabic_stem(word[:_LONGEST])
    english, french = _stemmers()
    stemmed: str = french.stemWord(english.stemWord(word[:_LONGEST]))
    return stemmed or word


def skeletons(word: str) -> tuple[str, ...]:
    """Consonants of a normalised word as both scripts write them, without the article; none where there are few.

    An Arabic word that begins with `ل` has two: with it, and without, where it may be the article or a preposition.
    """
    word = word[:_LONGEST]
    if word.isdigit():
        return ()
    if not is_arabic(word):
        return _consonants(_latin_sounds(_ARTICLE.sub("", word, count=1) if len(word) > 3 else word))
    bare = _without_prefix(word)
    bare = bare.removesuffix("ه") if len(bare) > _SHORTEST else bare
    found = _consonants(bare)
    if bare[0] == "ل" and len(bare) > _SHORTEST:
        found += _consonants(bare[1:])
    return found


def _split(token: str) -> tuple[str, ...]:
    return tuple(word for word in normalise(token).split() if word not in _SIGNS)


_WORDS_OF: Final = Memo(_split)


@cache
def _stemmers() -> tuple[Stemmer.Stemmer, Stemmer.Stemmer]:
    return Stemmer.Stemmer("english", 0), Stemmer.Stemmer("french", 0)


def _without_prefix(word: str) -> str:
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= _SHORTEST - 1:
            return word[len(prefix) :]
    if word[0] == "و" and len(word) > _SHORTEST:
        return word[1:]
    return word


def _arabic_stem(word: str) -> str:
    word = _without_prefix(word)
    for more, suffixes in enumerate(_SUFFIXES):
        for suffix in suffixes:
            if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST + more:
                return word[: -len(suffix)]
    return word


def _latin_sounds(word: str) -> str:
    for written, heard in _SOFT:
        word = word.replace(written, heard)
    return word


def _consonants(word: str) -> tuple[str, ...]:
    """The skeleton of a word; none where fewer than two sounds are left."""
    sounds = spell_sounds(word).translate(SOUND_OF).translate(_MERGED).translate(_DROPPED)
    skeleton = "".join(sound for at, sound in enumerate(sounds) if at == 0 or sound != sounds[at - 1])
    return (skeleton,) if len(skeleton) > 1 else ()
