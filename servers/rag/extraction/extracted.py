"""What a file gives: its parts as its author made them, and what of it could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from servers.kit.errors import InvalidInput
from servers.rag.passages import Part

MOST_BYTES = 50 * 1024 * 1024
"""Largest file that is read."""


class UnknownKind(InvalidInput):
    """A file of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file. `title` is what the file calls itself, else its name without the ending."""

    title: str
    media_type: str
    parts: tuple[Part, ...]
    warnings: tuple[str, ...] = ()

    @property
    def markdown(self) -> str:
        """The parts under their headings, as one Markdown text, for people to read."""
        return "\n\n".join(
            f"## {part.title} {{{part.loc}}}\n\n{part.text}" if part.title or part.loc != "#" else part.text
            for part in self.parts
        )
