"""What words mean, across languages: the English stems that a stem stands for.

    concepts("فاتور")   # {"bill": 0.8, "invoic": 0.2}

`concepts.tsv` is learnt by `training.concepts` from the corpora of the project. Its first line is a digest of them, its second
the stems that stand in many texts of any kind, each with how many of a thousand: `pour 210`. The others have a stem, a tab, and what it stands
for with the chances in percent: `facture<tab>bill 80 invoic 20`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

TABLE: Final = Path(__file__).with_name("concepts.tsv")

Translations = Mapping[str, Mapping[str, float]]


class Table(NamedTuple):
    """`meanings` of stems, and how `common` those are that stand in more than a few of a hundred texts."""

    meanings: Translations
    common: Mapping[str, float]


@cache
def read_table(file: Path = TABLE) -> Table:
    """The table; read once."""
    _, first, *lines = file.read_text("utf-8").splitlines()
    split = [line.split("\t") for line in lines]
    meanings = {stem: {word: chance / 100 for word, chance in _numbers(found)} for stem, found in split}
    return Table(meanings, {stem: share / 1000 for stem, share in _numbers(first)})


def write_table(learnt_from: str, meanings: Translations, common: Mapping[str, float], file: Path) -> None:
    """Writes what `read_table` reads; `learnt_from` is a digest of the corpora."""
    first = " ".join(f"{stem} {round(share * 1000)}" for stem, share in common.items())
    rest = [
        f"{stem}\t{' '.join(f'{word} {round(chance * 100)}' for word, chance in found.items())}"
        for stem, found in meanings.items()
    ]
    file.write_text("\n".join([learnt_from, first, *rest]) + "\n", "utf-8")


def _numbers(text: str) -> list[tuple[str, int]]:
    parts = text.split(" ")
    return list(zip(parts[::2], map(int, parts[1::2]), strict=True))
