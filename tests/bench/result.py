"""One measured figure beside what it is held against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """`ratio` is value / against_value; `against` and its value are empty where the goal is absolute."""

    name: str
    value: float
    unit: str
    against: str
    against_value: float | None
    ratio: float | None
    goal: str
    ok: bool
