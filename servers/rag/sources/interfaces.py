"""The port to where documents come from: what is there is listed first, then fetched, one by one, in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class Skipped(Exception):
    """Something that is left alone on purpose; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Entry(NamedTuple):
    """A document in a source: its name (a path, an address), unique in it, and its size in bytes where that is known."""

    name: str
    size: int | None = None


class Content(NamedTuple):
    """What was fetched: the bytes, the media type that the source gives them, the address that customers can open."""

    data: bytes
    media_type: str = ""
    url: str = ""


class Source(Protocol):
    """A place that documents are imported from."""

    def entries(self) -> AsyncIterator[Entry]:
        """What is there, in a stable order. Raises InvalidInput where there is no such place, UpstreamError, Timeout."""
        ...

    async def fetch(self, name: str) -> Content:
        """The document of an entry of this or an earlier listing, as it is now.

        Raises Skipped, InvalidInput (NotFound where it is gone), UpstreamError or Timeout.
        """
        ...

    async def close(self) -> None:
        """Ends what the source holds open."""
        ...
