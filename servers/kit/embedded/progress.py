"""What a caller is told while services start."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a step ("postgres", "triton" …), a sentence for people, and how far it is (0 to 1, None: unknown)."""

    def __call__(self, step: str, message: str, fraction: float | None = None) -> None: ...


def silent(step: str, message: str, fraction: float | None = None) -> None:
    """A Progress that says nothing."""
