"""Small typos: a letter too few, one too many, two that changed places, and in long words another one.

Words are compared by what is left when one letter is dropped (the symmetric-delete method of SymSpell), which costs
one look-up a letter however many words there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from servers.nlu.entity_types.spelling import is_arabic

_SHORTEST, _LONGEST = 6, 24
_SHORTEST_ARABIC = 7  # without written vowels, words stand closer to each other: `ساعات`, `سماعات`
_LONG = 8  # in a shorter word, another letter often makes another word: `charge`, `change`


class Vocabulary:
    """The words of names that are long enough to be known with a typo."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._shortened: dict[str, str] = {}

    def add(self, word: str) -> None:
        """Adds a word; does nothing for one that is too short, too long or holds digits."""
        shortest = _SHORTEST_ARABIC if is_arabic([word]) else _SHORTEST
        if not shortest <= len(word) <= _LONGEST or not word.isalpha() or word in self._words:
            return
        self._words.add(word)
        for shorter in _shortened(word):
            self._shortened.setdefault(shorter, word)

    def corrected(self, word: str) -> str:
        """The word that was meant; the word itself where it is known, short, or like none."""
        if not _SHORTEST - 1 <= len(word) <= _LONGEST + 1 or word in self._words or not word.isalpha():
            return word
        if word in self._shortened:
            return self._shortened[word]
        for shorter in _shortened(word):
            if shorter in self._words:
                return shorter
            meant = self._shortened.get(shorter)
            if meant is not None and _is_slip(word, meant):
                return meant
        return word


def _shortened(word: str) -> Iterator[str]:
    """The word without one letter, for each but the first, which people hardly get wrong."""
    for place in range(1, len(word)):
        yield word[:place] + word[place + 1 :]


def _is_slip(word: str, meant: str) -> bool:
    """Whether words of one length differ in two neighbours that changed places, or, where they are long, in one letter."""
    wrong = [place for place, letter in enumerate(word) if letter != meant[place]]
    if len(wrong) == 1:
        return len(word) >= _LONG
    first, last = wrong[0], wrong[-1]
    return last == first + 1 and word[first] == meant[last] and word[last] == meant[first]
