"""Public training sets, where they are given: never needed, and no part of the repository.

`SALAMBOT_PUBLIC_DATA` names their folder; `../shared/data` is looked for without it. Each is a file of JSON lines with
`text` and `label`. NOTICE names their authors.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(os.environ.get("SALAMBOT_PUBLIC_DATA", Path(__file__).parents[2] / "shared" / "data"))

ENGLISH = ("banking77", "clinc150", "hwu64", "bitext")
ARABIC = "arbanking77"
"""A translation of banking77, and of its labels, into Modern Standard Arabic and Palestinian, in the order of the original."""


class Labelled(NamedTuple):
    """A sentence and its label."""

    text: str
    label: str


def read(name: str, split: str = "train") -> list[Labelled]:
    """The sentences of a set; none where it is not given."""
    file = FOLDER / f"intents_{name}.{split}.jsonl.gz"
    if not file.exists():
        return []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [Labelled(line["text"].strip(), line["label"]) for line in map(json.loads, lines)]


def english() -> list[str]:
    """All sentences of the English sets."""
    return [sentence.text for name in ENGLISH for sentence in read(name)]


def passages(name: str) -> Iterator[tuple[str, list[str]]]:
    """The label and the sentences of each stretch of one label, in the order of the file."""
    for label, stretch in groupby(read(name), key=lambda sentence: sentence.label):
        yield label, [sentence.text for sentence in stretch]
