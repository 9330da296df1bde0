"""The corpora written for this project: sentences of the intent taxonomy, and the translation lexicon."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CORPORA = Path(__file__).parent / "corpora"

LANGUAGES = ("fr", "ar", "en", "darija_arabizi", "darija_arabic")
SENTIMENTS = ("positive", "neutral", "negative")
URGENCIES = ("low", "medium", "high")
LEXICON_COLUMNS = ("darija_arabizi", "darija_arabic", "msa", "fr", "en")
LEXICON_LANGUAGES = ("darija_arabizi", "darija_arabic", "ar", "fr", "en")
HELD_OUT_PERCENT = 15
_REMARK = re.compile(r"\([^)]*\)")


class Example(NamedTuple):
    """One labelled sentence; a label that is not known is empty."""

    text: str
    intent: str
    language: str
    sentiment: str
    urgency: str

    @property
    def held_out(self) -> bool:
        """Whether the sentence belongs to the held-out split: decided by its text alone, so it never moves."""
        return zlib.crc32(self.text.encode()) % 100 < HELD_OUT_PERCENT


def read_examples(folder: Path = CORPORA / "intents") -> list[Example]:
    """All sentences, by intent; raises ValueError naming the line that is not well formed."""
    examples: dict[str, Example] = {}
    for file in sorted(folder.glob("*.tsv")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            match line.split("\t"):
                case [language, sentiment, urgency, text] if (
                    language in LANGUAGES and sentiment in SENTIMENTS and urgency in URGENCIES and text
                ):
                    examples.setdefault(text, Example(text, file.stem, language, sentiment, urgency))
                case _:
                    raise ValueError(f"{file.name}:{number}: not language, sentiment, urgency, text")
    return list(examples.values())


def read_reviews(folder: Path = CORPORA / "sentiment") -> list[Example]:
    """Sentences whose language and sentiment are known."""
    return [Example(text, "", language, sentiment, "") for language, sentiment, text in _rows(folder)]


class Opinion(NamedTuple):
    """One opinion in all languages, and its sentiment."""

    sentiment: str
    texts: dict[str, str]


def read_parallel(folder: Path = CORPORA / "parallel") -> list[dict[str, str]]:
    """Sentences of one meaning: language → sentence. Raises ValueError for a row that lacks one."""
    return [_texts(row) for row in _rows(folder)]


def read_opinions(folder: Path = CORPORA / "opinions") -> list[Opinion]:
    """Opinions on anything at all; raises ValueError for a row that is not well formed."""
    opinions = [Opinion(row[0], _texts(row[1:])) for row in _rows(folder)]
    if unknown := {opinion.sentiment for opinion in opinions} - set(SENTIMENTS):
        raise ValueError(f"{folder}: {unknown} are no sentiments")
    return opinions


def _texts(row: list[str]) -> dict[str, str]:
    if len(row) != len(LEXICON_LANGUAGES) or not all(map(str.strip, row)):
        raise ValueError(f"not a sentence in each of {LEXICON_LANGUAGES}: {row}")
    return dict(zip(LEXICON_LANGUAGES, row, strict=True))


def read_lexicon(folder: Path = CORPORA / "lexicon") -> list[dict[str, tuple[str, ...]]]:
    """Entries of the lexicon: language → words or phrases of one meaning, without the empty ones."""
    return [
        {
            language: tuple(_REMARK.sub("", phrase).strip() for phrase in cell.split("|"))
            for language, cell in zip(LEXICON_LANGUAGES, row, strict=False)
            if cell.strip()
        }
        for row in _rows(folder)
        if row and tuple(row[:5]) != LEXICON_COLUMNS
    ]


def _rows(folder: Path) -> Iterator[list[str]]:
    for file in sorted(folder.glob("*.tsv")):
        with file.open(encoding="utf-8", newline="") as lines:
            yield from csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
