"""A list of values as people keep one in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from salambot.nlu.v1 import entity_types_pb2


def read_values(file: Path) -> Iterator[entity_types_pb2.EntityValue]:
    """The values in a UTF-8 file, one a line: `value<TAB>synonym | synonym`; synonyms may be left out."""
    for line in file.read_text("utf-8").splitlines():
        value, _, synonyms = line.partition("\t")
        if value.strip():
            named = [synonym.strip() for synonym in synonyms.split("|")]
            yield entity_types_pb2.EntityValue(value=value.strip(), synonyms=filter(None, named))
