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
_NEAREST = {**{name: (name,) for name in LANGUAGES}, "other_arabic": ("ar",), "other_latin": ("fr", "en")}


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


def read_languages(folder: Path = CORPORA / "language") -> list[Example]:
    """Sentences whose language alone is known.

    Other languages count as the nearest that is served: other Arabic as Modern Standard Arabic; other Latin ones as
    French and English by turns, which leaves the model in doubt between the two.
    """
    return [
        Example(line.rpartition("\t")[2], "", _NEAREST[file.stem][number % len(_NEAREST[file.stem])], "", "")
        for file in sorted(folder.glob("*.txt"))
        for number, line in enumerate(file.read_text("utf-8").splitlines())
        if line.strip()
    ]


def read_reviews(folder: Path = CORPORA / "sentiment") -> list[Example]:
    """Sentences whose language and sentiment are known."""
    return [Example(text, "", language, sentiment, "") for language, sentiment, text in _rows(folder)]


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
