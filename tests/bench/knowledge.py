"""Knowledge as large as one wants: documents put together from sentences of the corpora, and questions to them."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

from salambot.common.v1 import envelope_pb2

from training.corpus import CORPORA, LEXICON_LANGUAGES, read_examples

SECTIONS = 50
"""Passages of a document."""

_FOLDERS = ("parallel", "opinions")  # whose last five columns are one sentence in five languages


@dataclass(frozen=True, slots=True)
class Text:
    """A document in Markdown, with a section a passage."""

    id: str
    language: envelope_pb2.Language.ValueType
    text: str


def texts(count: int, seed: int) -> list[Text]:
    """Documents in five languages in turn; no two sections are the same."""
    chance, sentences = random.Random(seed), _sentences()
    made = []
    for number in range(count):
        language = LEXICON_LANGUAGES[number % len(LEXICON_LANGUAGES)]
        sections = "\n\n".join(_section(chance, sentences[language]) for _ in range(SECTIONS))
        made.append(Text(f"d{number}", envelope_pb2.Language.Value(f"LANGUAGE_{language.upper()}"), sections))
    return made


def questions(known: list[Text], count: int, seed: int) -> list[str]:
    """Up to eight neighbouring words of some section each."""
    chance = random.Random(seed)
    asked: list[str] = []
    while len(asked) < count:
        words = [word for word in chance.choice(known).text.split() if word != "##"]
        start = chance.randrange(len(words) - 8)
        asked.append(" ".join(words[start : start + chance.randint(4, 8)]))
    return asked


def _section(chance: random.Random, sentences: list[str]) -> str:
    """A heading, and sentences that mostly stand near it in the corpus, with a number that is its own."""
    at, words = chance.randrange(len(sentences)), chance.randint(30, 90)
    body: list[str] = []
    while sum(len(sentence.split()) for sentence in body) < words:
        near = chance.random() < 0.6
        body.append(sentences[(at + chance.randrange(30)) % len(sentences)] if near else chance.choice(sentences))
    return f"## {sentences[at]}\n\n{'. '.join(body)} {chance.randrange(10**8)}"


def _sentences() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for example in read_examples():
        found[example.language].append(example.text)
    for folder in _FOLDERS:
        for file in sorted((CORPORA / folder).glob("*.tsv")):
            for line in file.read_text("utf-8").splitlines():
                for language, sentence in zip(LEXICON_LANGUAGES, line.split("\t")[-5:], strict=True):
                    found[language].append(sentence)
    return found
