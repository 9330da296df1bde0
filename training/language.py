"""Trains `servers/nlu/language.npz`: which of five languages a message is in, or that it is in none of them.

    python -m training.language            # held-out figures first, then the model on all sentences: a minute

The weights of a feature are those of multinomial logistic regression and of naive Bayes, added up: the one learns what
tells close languages apart, the other is less led astray by what these few thousand sentences happen to speak of. On
held-out sentences they get 96.1 % and 97.1 % alone, 97.2 % together. Each sentence is shown as it was written and in
other guises: cut to a few of its words, with slips, with the mentions, links and emoji of social media, which say
nothing of the language. A temperature, chosen on the held-out sentences, makes its probabilities honest.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple
from warnings import catch_warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from servers.kit.text.features import FEATURES_VERSION, SPACE, encode
from servers.kit.text.normalise import normalise
from servers.nlu.language import CLASSES, FILE, SERVED, LanguageModel
from training.corpus import CORPORA, HELD_OUT_PERCENT, read_examples, read_lexicon

ROWS = 1 << 17
STRENGTH, STEPS = 6.0, 60  # of the fit: inverse of the L2 penalty; of L-BFGS
SMOOTHING = 0.2  # of naive Bayes: how often each feature is taken to have been seen, besides
GUISES = 2  # of each sentence, besides itself
PRIOR = {"other_arabic": 0.5}
"""Of the classes whose share among the messages of Moroccan businesses is another than here. Cross-validated, half takes
14 % of the sentences of another dialect for Darija, the mean over dialects, and misses 4.7 % of Darija's in Arabic
letters, of four words or more; 0.8 takes 13 % and misses 5.1 %, 0.3 takes 16 % and misses 4.4 %."""
BALANCE = 0.7  # 0 counts classes as they are, 1 all alike
LEXICON_WEIGHT = 0.5  # a phrase out of context says less than a sentence
_LONG = 12  # words
_CHUNK = 2048
_EMOJI = "😂😭❤🔥👏🙏😍👍😡🤣💯🎉😢🥺"
_TAGS = ("love", "foot", "news", "video", "maroc", "live", "ramadan", "المغرب", "عاجل", "morocco", "fyp")
_LETTERS = "abdeghiklmnorstuyz_0123456789"


class Sentence(NamedTuple):
    """A sentence, its class, and where it comes from: the dialect or language its author gives it, or the corpus."""

    text: str
    label: str
    variety: str = ""

    @property
    def held_out(self) -> bool:
        """Whether the sentence belongs to the held-out split: decided by its text alone, so it never moves."""
        return zlib.crc32(self.text.encode()) % 100 < HELD_OUT_PERCENT


def read_sentences(folder: Path = CORPORA / "language") -> list[Sentence]:
    """All sentences whose language is known: those written for this task, of the other corpora, and of the lexicon."""
    rows = [
        Sentence(text, file.stem, variety)
        for file in sorted(folder.glob("*.txt"))
        for line in file.read_text("utf-8").splitlines()
        for variety, _, text in [line.rpartition("\t")]
    ]
    rows += [Sentence(example.text, example.language) for example in read_examples()]
    measured = {normalise(row.text) for row in (*read_messages("dev"), *read_messages("eval"))}
    known = {(row.text, row.label): row for row in (*rows, *_phrases()) if row.text.strip()}
    return [row for row in known.values() if normalise(row.text) not in measured]


def _phrases() -> list[Sentence]:
    """The lexicon's phrases, but for those that several languages share."""
    phrases = defaultdict(set)
    for entry in read_lexicon():
        for language, wordings in entry.items():
            for wording in wordings:
                phrases[normalise(wording)].add(Sentence(wording, language, "lexicon"))
    return sorted(
        phrase for alike in phrases.values() if len({phrase.label for phrase in alike}) == 1 for phrase in alike
    )


def read_messages(name: str) -> list[Sentence]:
    """Messages written to measure with, never trained on; `variety` is `clean`, `noisy`, or the other language.

    `dev` are those that choices were made by, `eval` those that none was.
    """
    rows = (line.split("\t") for line in (CORPORA / "language" / f"{name}.tsv").read_text("utf-8").splitlines())
    return [Sentence(text, label, variety) for label, variety, text in rows]


class Guises:
    """Makes other guises of a sentence; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def vary(self, text: str) -> str:
        """The sentence as someone in a hurry, or on social media, might write some of it."""
        chance = self._random.random
        words = text.split()
        if chance() < 0.5:
            length = self._random.randint(1, min(len(words), _LONG))
            start = self._random.randint(0, len(words) - length)
            words = words[start : start + length]
        if chance() < 0.3:
            words = [self._slip(word) if chance() < 0.3 else word for word in words]
        if chance() < 0.15:
            words.insert(0, f"@{self._name()}")
        if chance() < 0.1:
            words.append(f"#{self._random.choice(_TAGS)}")
        if chance() < 0.05:
            words.append(f"https://t.co/{self._name()}")
        if chance() < 0.2:
            words.append(self._random.choice(_EMOJI) * self._random.randint(1, 3))
        return " ".join(words)

    def _slip(self, word: str) -> str:
        """A letter lost, doubled or swapped."""
        if len(word) < 4:
            return word
        at = self._random.randrange(1, len(word) - 1)
        return self._random.choice(
            (
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
            )
        )

    def _name(self) -> str:
        return "".join(self._random.choice(_LETTERS) for _ in range(self._random.randint(4, 10)))


def train(sentences: Sequence[Sentence], rows: int = ROWS, seed: int = 1) -> LanguageModel:
    """Trains on the sentences, with a table of `rows` rows."""
    guises = Guises(seed)
    whole = [sentence for sentence in sentences if sentence.variety != "lexicon"]
    shown = [*sentences, *(row._replace(text=guises.vary(row.text)) for _ in range(GUISES) for row in whole)]
    labels = np.array([CLASSES.index(row.label) for row in shown])
    sizes = np.bincount(labels, minlength=len(CLASSES))
    weights = ((sizes.mean() / np.maximum(sizes, 1)) ** BALANCE)[labels]
    weights[[row.variety == "lexicon" for row in shown]] *= LEXICON_WEIGHT
    features = _features([row.text for row in shown], rows)
    fit = LogisticRegression(C=STRENGTH, max_iter=STEPS, tol=1e-3)
    with catch_warnings(action="ignore", category=ConvergenceWarning):  # it stops at STEPS
        fit.fit(features, labels, sample_weight=weights)
    return quantise(fit.coef_.T + _naive_bayes(features, labels, weights), fit.intercept_)


def _naive_bayes(features: csr_matrix, labels: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each feature speaks for each class, by how often it was seen there: (rows, classes)."""
    classes = np.eye(len(CLASSES))[labels] * weights[:, None]
    counts = (features > 0).T.astype(np.float64) @ classes
    shares = np.log((counts + SMOOTHING) / (counts.sum(0) + SMOOTHING * len(counts)))
    evidence: NDArray[np.float64] = shares - shares.mean(1, keepdims=True)
    evidence[counts.sum(1) == 0] = 0  # what was never seen speaks for none
    return evidence


def _features(texts: Sequence[str], rows: int) -> csr_matrix:
    """How often each row of the table is asked for by each text, by the square root of how many are in all."""
    found = [ids[ids > 0] for at in range(0, len(texts), _CHUNK) for ids in encode(texts[at : at + _CHUNK])]
    sizes = np.array([len(ids) for ids in found])
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    places = (np.concatenate(found) - 1) // (SPACE // rows) + 1
    matrix = csr_matrix((values, places, np.concatenate(([0], np.cumsum(sizes)))), (len(texts), rows + 1))
    matrix.sum_duplicates()
    return matrix


def quantise(table: NDArray[np.float64], bias: NDArray[np.float64]) -> LanguageModel:
    """The model with its weights in 255 steps; the few that lie beyond are cut."""
    scale = float(np.quantile(np.abs(table[np.any(table, 1)]), 0.9999)) / 127
    steps = np.clip(np.round(table / scale), -127, 127).astype(np.int8)
    prior = np.log([PRIOR.get(label, 1.0) for label in CLASSES])
    return LanguageModel(np.ascontiguousarray(steps), scale, (bias + prior).astype(np.float32))


def calibrate(model: LanguageModel, sentences: Sequence[Sentence]) -> float:
    """The temperature under which the languages of sentences the model has not seen are most probable."""
    logits = np.concatenate([model.logits(encode([row.text])) for row in sentences])
    labels = np.array([CLASSES.index(row.label) for row in sentences])

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.logaddexp.reduce(scaled, 1) - scaled[np.arange(len(labels)), labels]).mean())

    return min(np.arange(0.3, 3.0, 0.02).tolist(), key=loss)


def print_figures(title: str, model: LanguageModel, sentences: Sequence[Sentence]) -> None:
    """Percent right of each served language, and of the others that are not taken for Darija; where it goes wrong."""
    right = defaultdict(list)
    for row in sentences:
        (found,) = model.identify(encode([row.text]))
        served = row.label in SERVED
        right[row.label].append(found.language == row.label if served else not found.language.startswith("darija"))
        if served:
            right["all five"].append(right[row.label][-1])
    print(f"{title}, {len(sentences)} sentences")
    for label in ("all five", *CLASSES):
        if right[label]:
            print(f"  {label:15} {100 * np.mean(right[label]):5.1f} % of {len(right[label])}")


def export(model: LanguageModel, file: Path = FILE) -> None:
    """Writes the model."""
    np.savez_compressed(
        file, table=model.table, scale=np.float32(model.scale), bias=model.bias, features_version=FEATURES_VERSION
    )


def main() -> None:
    """Trains, prints the held-out figures, trains on everything, exports."""
    sentences = read_sentences()
    held_out = [row for row in sentences if row.held_out and row.variety != "lexicon"]
    trial = train([row for row in sentences if not row.held_out])
    temperature = calibrate(trial, held_out)
    print_figures("held out", trial, held_out)
    for name in ("dev", "eval"):
        messages = read_messages(name)
        for variety in ("clean", "noisy"):
            print_figures(f"{name}, {variety}", trial, [row for row in messages if row.variety == variety])
        print_figures(f"{name}, other languages", trial, [row for row in messages if row.label not in SERVED])
    print(f"temperature {temperature:.2f}", flush=True)
    export(train(sentences).cooled(temperature))


if __name__ == "__main__":
    main()
