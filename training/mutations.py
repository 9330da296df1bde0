"""Sentences that nobody wrote, for the teacher to say what they mean: words exchanged, lost, cut out, joined.

A small set of sentences shows each word in few surroundings only; the mutations show what each contributes by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

_RARITY = 0.6  # exponent of a word's frequency: under 1, rare words come more often than they are written
_LONGEST = 24  # words
_FROM_LEXICON = 0.3


class Mutations:
    """Makes mutations of `sentences`, exchanging words of them and `phrases`; the same seed makes the same ones."""

    def __init__(self, sentences: Sequence[str], phrases: Sequence[str], seed: int) -> None:
        self._random = Random(seed)
        self._sentences = sentences
        self._phrases = phrases
        counts = Counter(word for sentence in sentences for word in sentence.split())
        self._words = list(counts)
        self._weights = [count**_RARITY for count in counts.values()]

    def draw(self, count: int) -> list[str]:
        """Up to `count` mutations, each once."""
        return sorted({self._mutate(self._random.choice(self._sentences).split()) for _ in range(count)})

    def _mutate(self, words: list[str]) -> str:
        random = self._random
        how = random.random()
        if how < 0.35:
            for _ in range(random.choice((1, 1, 2, 3))):
                words[random.randrange(len(words))] = self._word()
        elif how < 0.5:
            words = [word for word in words if random.random() > 0.25] or words
        elif how < 0.65:
            size = random.randint(1, min(6, len(words)))
            start = random.randrange(len(words) - size + 1)
            words = words[start : start + size]
        elif how < 0.9:
            other = random.choice(self._sentences).split()
            words = words[: max(1, random.randint(len(words) // 3, len(words)))]
            words = [*words, *other[random.randint(0, len(other) // 2) :]][:_LONGEST]
        else:
            words.insert(random.choice((0, len(words))), random.choice(self._phrases))
        return " ".join(words)

    def _word(self) -> str:
        if self._random.random() < _FROM_LEXICON:
            return self._random.choice(self._phrases)
        return self._random.choices(self._words, self._weights)[0]
