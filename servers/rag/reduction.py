"""Passages that are longer together than a reader has room for, reduced to what matters to the question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servers.rag.lexical.words import words
from servers.rag.ranking.question import Question

GAP = "…"
"""Stands where something is left out."""

_SENTENCE = re.compile(r"[^.!?؟۔؛،\n]*(?:[.!?؟۔؛،](?![\s»”\"')\]]|$)[^.!?؟۔؛،\n]*)*[.!?؟۔؛،]*[»”\"')\]]*\s*")
_PLACE = 0.9
"""What a sentence's worth is multiplied by for each passage before its own: the best passages keep the most."""
_OPENING = 0.05
"""What any sentence is worth: what the question names nowhere is filled up from the beginning."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, with the blanks behind them: joined they are the text."""
    return [found for found in _SENTENCE.findall(text) if found]


def reduced(texts: Sequence[str], question: Question, budget: int) -> list[str]:
    """The texts in at most `budget` characters together; as they are where they fit, or where it is 0.

    Sentences that say most of what the question asks are kept, in their order, with `…` where something is left out.
    A passage of which nothing is kept is `…` alone, while there is room for that.
    """
    if not budget or sum(map(len, texts)) <= budget:
        return list(texts)
    cut = [sentences(text) for text in texts]
    kept: list[set[int]] = [set() for _ in texts]
    left = budget - len(texts) * len(GAP)
    order = _by_worth(cut, question)
    for place, at in order:
        cost = len(_joined(cut[place], kept[place] | {at})) - len(_joined(cut[place], kept[place]))
        if cost <= left:
            kept[place].add(at)
            left -= cost
    shown = [_joined(found, places) for found, places in zip(cut, kept, strict=True)]
    if not any(kept):  # not even one sentence fits: the beginning of the best
        place, at = order[0]
        shown[place] = cut[place][at][: max(0, left)].rstrip() + GAP
    return _within(shown, budget)


def _by_worth(cut: Sequence[Sequence[str]], question: Question) -> list[tuple[int, int]]:
    """Place of the passage and of the sentence in it, the most worthy first."""
    worth = {
        (place, at): (_worth(sentence, question) + _OPENING / (1 + at)) * _PLACE**place
        for place, found in enumerate(cut)
        for at, sentence in enumerate(found)
    }
    return sorted(worth, key=lambda key: -worth[key])


def _worth(sentence: str, question: Question) -> float:
    """Share of the question's words that a sentence says, weighted by how rare they are."""
    best = [0.0] * len(question.words)
    for word in words(sentence):
        for place, _, strength in question.hits(word):
            best[place] = max(best[place], strength)
    return sum(value * weight for value, weight in zip(best, question.weights, strict=True)) / question.total


def _joined(found: Sequence[str], kept: set[int]) -> str:
    """The kept sentences, `…` in the place of others."""
    pieces: list[str] = []
    for at, sentence in enumerate(found):
        if at in kept:
            pieces.append(sentence)
        elif not pieces or pieces[-1] != f"{GAP} ":
            pieces.append(f"{GAP} ")
    return "".join(pieces).strip()


def _within(texts: Sequence[str], budget: int) -> list[str]:
    """The texts, the last ones empty where there is no room even for their marks."""
    left = budget
    fitting = []
    for text in texts:
        fitting.append(text if len(text) <= left else "")
        left -= len(fitting[-1])
    return fitting
