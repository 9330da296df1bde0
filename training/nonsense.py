"""What nobody meant: a cat on the keyboard, a code without its question, letters alone.

The intent head learns to be sure of nothing here (outlier exposure, Hendrycks et al., 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from training.corpus import Example

_ROWS: Sequence[str] = ("azertyuiop", "qsdfghjklm", "wxcvbn", "qwertyuiop", "asdfghjkl", "zxcvbnm", "ضصثقفغعهخح", "شسيبلاتنمك", "ئءؤرىةوزظ")  # fmt: skip
_ALPHABETS: Sequence[str] = ("abcdefghijklmnopqrstuvwxyz", "bcdfghjklmnpqrstvwxz", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي")
_MARKS = "?!.,;:-_/*#"
_MOST_WORDS, _LONGEST_WORD = 4, 9


def nonsense(count: int, seed: int) -> list[Example]:
    """So many messages without a meaning, and so without any label; the same seed makes the same ones."""
    random = Random(seed)
    return [_message(random) for _ in range(count)]


def _message(random: Random) -> Example:
    letters = random.choice(_ALPHABETS)
    words = [random.choice((_mash, _letters, _digits))(random, letters) for _ in range(random.randint(1, _MOST_WORDS))]
    if random.random() < 0.2:
        words.append(random.choice(_MARKS) * random.randint(1, 3))
    return Example(" ".join(words), "", "fr", "", "")


def _mash(random: Random, letters: str) -> str:
    """Neighbouring keys of one row, whatever the alphabet of the rest."""
    row = random.choice(_ROWS)
    at = random.randrange(len(row))
    keys = []
    for _ in range(random.randint(2, _LONGEST_WORD)):
        keys.append(row[at])
        at = (at + random.choice((-2, -1, 1, 2))) % len(row)
    return "".join(keys)


def _letters(random: Random, letters: str) -> str:
    return "".join(random.choice(letters) for _ in range(random.randint(1, _LONGEST_WORD)))


def _digits(random: Random, letters: str) -> str:
    """A number, or letters and digits mixed."""
    characters = random.choice(("0123456789", f"0123456789{letters}"))
    return "".join(random.choice(characters) for _ in range(random.randint(1, 6)))
