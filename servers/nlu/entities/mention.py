"""What a finder finds."""

from __future__ import annotations

from typing import NamedTuple


class Mention(NamedTuple):
    """`text[start:end]` names something of this type; `value` is its normalised form."""

    type: str
    value: str
    start: int
    end: int
