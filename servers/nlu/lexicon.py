"""The concept lexicon: what customers speak of, in five languages, and which concepts together tell an intent.

`concepts.tsv` has a column of phrases for each language; `cues.tsv` has an intent and its concepts on each line. The
rules read them when the models are out of reach; training reads them as well.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Concept → language → phrases, and the cues: pairs of an intent and the concepts that tell it."""

    concepts: Mapping[str, Mapping[str, tuple[str, ...]]]
    cues: tuple[tuple[str, tuple[str, ...]], ...]


def read_lexicon(folder: Path = FOLDER) -> Lexicon:
    """Reads both files; raises ValueError when a cue names a concept that there is not."""
    with (folder / "concepts.tsv").open(encoding="utf-8", newline="") as lines:
        concepts = {
            row.pop("concept"): {language: tuple(cell.split("|")) for language, cell in row.items()}
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        }
    cues = []
    for line in (folder / "cues.tsv").read_text("utf-8").splitlines():
        intent, names = line.split("\t")
        cues.append((intent, tuple(names.split())))
        if unknown := set(names.split()) - concepts.keys():
            raise ValueError(f"cues.tsv: {intent} names {', '.join(unknown)}, which concepts.tsv does not have")
    return Lexicon(concepts, tuple(cues))
