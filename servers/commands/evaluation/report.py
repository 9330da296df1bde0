"""An evaluation as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from servers.commands.evaluation.figures import ALL, Figures
from servers.commands.evaluation.samples import Task

_KEY = """[dim]
accuracy: of the messages in scope; outside: of the others, out of scope or in none of the five languages, those found out;
ECE: expected calibration error; Darija: read as Darija, in either script[/]"""


@dataclass(frozen=True, slots=True)
class System:
    """One who answered: what it is, its figures by language, and how long it took, its preparation apart."""

    name: str
    rule: str
    by_language: dict[str, Figures]
    seconds_to_prepare: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One task over the same messages by several systems, SalamBot first; `orjson` writes it as it is."""

    task: Task
    files: Sequence[str]
    train_files: Sequence[str]
    model_version: str
    systems: Sequence[System]


def table_of(evaluation: Evaluation) -> Group:
    """A row for each language and system; below, what the systems are."""
    is_language = evaluation.task is Task.LANGUAGE
    messages = evaluation.systems[0].by_language[ALL].messages
    table = Table(title=f"{evaluation.task}: {messages:,} messages, models {evaluation.model_version}", box=SIMPLE_HEAD)
    table.add_column("language", no_wrap=True)
    table.add_column("messages", justify="right")
    table.add_column("read by", no_wrap=True)
    for name in ("accuracy", "macro-F1", "outside", "ECE", *(["Darija"] if is_language else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for language in evaluation.systems[0].by_language:
        for place, system in enumerate(evaluation.systems):
            figures = system.by_language[language]
            table.add_row(
                *((escape(language), f"{figures.messages:,}") if place == 0 else ("", "")),
                escape(system.name),
                _percent(figures.accuracy),
                _percent(figures.macro_f1),
                _percent(figures.outside_recall),
                "" if figures.calibration_error is None else f"{figures.calibration_error:.3f}",
                *([_percent(_as_darija(figures))] if is_language else []),
            )
        table.add_section()
    return Group(table, *(_note(system, messages) for system in evaluation.systems), _KEY)


def _note(system: System, messages: int) -> str:
    rate = f"{messages / max(system.seconds, 1e-6):,.0f} messages/s"
    return f"[bold]{escape(system.name)}[/] ({rate}): {escape(system.rule)}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _as_darija(figures: Figures) -> float:
    return sum(count for name, count in figures.answers.items() if name.startswith("darija")) / figures.messages
