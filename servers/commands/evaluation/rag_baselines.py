"""What retrieval is held against: BM25, and TF-IDF of characters where scikit-learn is installed (the extra `dev`)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.commands.evaluation.rag_knowledge import Text

Scores = NDArray[np.float64]
Search = Callable[[str], Scores]
"""A score of each passage for a question: (passages,)."""

_WORD = re.compile(r"\w+")
_K1, _B = 1.5, 0.75


class Baseline(NamedTuple):
    """`prepare` indexes a corpus, which may take a while, and gives the function that searches it."""

    name: str
    rule: str
    prepare: Callable[[Sequence[Text]], Search]


def baselines() -> Iterator[Baseline]:
    """Those that are installed."""
    yield Baseline("BM25", f"words in small letters, k1 {_K1}, b {_B}", bm25)
    if find_spec("sklearn"):
        yield Baseline("char TF-IDF", "3 to 5 characters inside words, scikit-learn", char_tfidf)


def bm25(corpus: Sequence[Text]) -> Search:
    """Okapi BM25 (Robertson et al., 1994)."""
    counted = [Counter(_words(f"{text.title} {text.text}")) for text in corpus]
    lengths = np.array([held.total() for held in counted])
    norms = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1))
    postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, held in enumerate(counted):
        for word, count in held.items():
            postings[word].append((place, count))

    def search(question: str) -> Scores:
        scores = np.zeros(len(corpus))
        for word in _words(question):
            if found := postings.get(word):
                places, counts = np.array(found).T
                rarity = np.log(1 + (len(corpus) - len(found) + 0.5) / (len(found) + 0.5))
                scores[places] += rarity * counts * (_K1 + 1) / (counts + norms[places])
        return scores

    return search


def char_tfidf(corpus: Sequence[Text]) -> Search:
    """Cosine of TF-IDF vectors of the characters inside words."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    matrix = vectoriser.fit_transform([f"{text.title} {text.text}" for text in corpus])
    return lambda question: (matrix @ vectoriser.transform([question]).T).toarray()[:, 0]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
