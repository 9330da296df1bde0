"""Where a message goes from one language to another: `salam khoya | je voudrais savoir si ma commande est arrivée`.

The language model reads each word alone; the likeliest path through the words pays for every switch (Viterbi), so that
a borrowed word, or one that several languages share, does not break a sentence in pieces. Moroccans say `merci` and
`la facture` in Darija: one word is a span of its own only where it is in the other script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np

from servers.kit.text.features import encode
from servers.kit.text.normalise import normalise
from servers.kit.text.offsets import words
from servers.nlu.language import SERVED, LanguageModel, Probabilities, softmax

_SWITCH: Final = 5.0  # evidence, in nats, that a switch of language has to bring
_DOUBT: Final = 0.005  # probability that a word says nothing of its language: no single one decides
_FEWEST: Final = 2  # words of a span in the script of its neighbours
_MOST_REMEMBERED: Final = 20_000  # words
_IN_ARABIC_LETTERS: Final = (False, True, False, False, True)  # of SERVED

Evidence = Sequence[float]
"""What the model says of a word alone: the log probability of each of SERVED."""


class Span(NamedTuple):
    """A stretch in one language: `text[start:end]` is what the customer typed; `confidence` is its probability."""

    language: str
    confidence: float
    start: int
    end: int


class _Run(NamedTuple):
    """Words `first` to `last`, exclusive, in one language."""

    language: int
    first: int
    last: int


class SpanFinder:
    """Finds the spans of messages. What the model says of a word is remembered: most words have been seen before."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._remembered: dict[str, Evidence] = {}

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """The stretches of each message by language, in order; empty where it is all in one. Linear in their length.

        Numbers, emoji and punctuation belong to the words before them, or after them where there are none before.
        """
        spoken = [[word for word in normalise(text).split() if _has_letter(word)] for text in texts]
        evidence = self._evidence([word for message in spoken for word in message])
        return [
            _spans(text, message, [evidence[word] for word in message])
            for text, message in zip(texts, spoken, strict=True)
        ]

    def _evidence(self, spoken: Sequence[str]) -> Mapping[str, Evidence]:
        """The evidence of these words, and maybe others; the model is asked for all new ones together."""
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        if unknown := [word for word in dict.fromkeys(spoken) if word not in self._remembered]:
            logs = _log_probabilities(self._model.logits(encode(unknown)), list(map(_is_arabic, unknown)))
            self._remembered.update(zip(unknown, logs.tolist(), strict=True))
        return self._remembered


def _spans(text: str, spoken: Sequence[str], evidence: Sequence[Evidence]) -> list[Span]:
    """The stretches of a message whose words, `spoken` as `normalise` writes them, have this evidence."""
    if len(spoken) < _FEWEST or _most_gained(evidence) < _SWITCH:
        return []
    runs = _join_single_words(_runs(_likeliest_path(evidence)), list(map(_is_arabic, spoken)))
    if len(runs) < _FEWEST:
        return []
    found = [word for word in words(text) if _has_letter(word.text)]
    bounds = [0, *(found[run.first].start for run in runs[1:]), len(text)]
    return [
        Span(SERVED[run.language], _confidence(evidence, run), *_trimmed(text, start, end))
        for run, (start, end) in zip(runs, pairwise(bounds), strict=True)
    ]


def _most_gained(evidence: Sequence[Evidence]) -> float:
    """By how much the best language of every word, switches for nothing, is likelier than one for all."""
    return sum(map(max, evidence)) - max(map(sum, zip(*evidence, strict=True)))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    stretch = text[start:end]
    return end - len(stretch.lstrip()), start + len(stretch.rstrip())


def _log_probabilities(logits: Probabilities, arabic: Sequence[bool]) -> Probabilities:
    """Of each served language for each word, with some doubt: (words, 7) logits → (words, 5)."""
    in_letters = np.where(np.equal.outer(arabic, _IN_ARABIC_LETTERS), logits[:, : len(SERVED)], -np.inf)
    logs: Probabilities = np.log(softmax(in_letters) * (1 - _DOUBT) + _DOUBT / len(SERVED))
    return logs


def _has_letter(word: str) -> bool:
    return word.isalpha() or any(map(str.isalpha, word))


def _is_arabic(word: str) -> bool:
    return any("\u0600" <= letter <= "\u06ff" for letter in word)


def _likeliest_path(rows: Sequence[Evidence]) -> list[int]:
    """The language of each word, by Viterbi with one price for every switch."""
    scores, came_from = list(rows[0]), []
    for row in rows[1:]:
        best = max(range(len(scores)), key=scores.__getitem__)
        switched = scores[best] - _SWITCH
        came_from.append([at if score >= switched else best for at, score in enumerate(scores)])
        scores = [max(score, switched) + emission for score, emission in zip(scores, row, strict=True)]
    path = [max(range(len(scores)), key=scores.__getitem__)]
    for origins in reversed(came_from):
        path.append(origins[path[-1]])
    return path[::-1]


def _runs(path: Sequence[int]) -> list[_Run]:
    runs, first = [], 0
    for language, group in groupby(path):
        last = first + sum(1 for _ in group)
        runs.append(_Run(language, first, last))
        first = last
    return runs


def _join_single_words(runs: Sequence[_Run], arabic: Sequence[bool]) -> list[_Run]:
    """Gives spans that are too short to the span before them, or after them, in the same script."""
    joined: list[_Run] = []
    for run in runs:
        before = joined[-1] if joined and arabic[joined[-1].first] == arabic[run.first] else None
        if before and (before.language == run.language or _is_short(run)):
            joined[-1] = before._replace(last=run.last)
        elif before and _is_short(before):
            joined[-1] = run._replace(first=before.first)
        else:
            joined.append(run)
    return joined


def _is_short(run: _Run) -> bool:
    return run.last - run.first < _FEWEST


def _confidence(evidence: Sequence[Evidence], run: _Run) -> float:
    logs = np.array(evidence[run.first : run.last])
    sums = logs.sum(0) / np.sqrt(run.last - run.first)
    return float(softmax(sums)[run.language])
