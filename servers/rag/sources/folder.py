"""A folder of the server's own disk, below one that the operator opened for imports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from servers.kit.errors import InvalidInput, NotFound, UpstreamError
from servers.rag.extraction import MOST_BYTES
from servers.rag.sources.interfaces import Content, Entry


class Folder:
    """A source: see interfaces.Source. Files are named by their paths in the folder, `/` between.

    Links that lead out of the folder are not followed; files and folders whose names begin with a dot are left alone.
    """

    def __init__(self, path: str, roots: Sequence[Path]) -> None:
        """Raises InvalidInput for a folder that is not there, or not below one of `roots`."""
        self._path = Path(os.path.realpath(path))
        if not any(self._path.is_relative_to(os.path.realpath(root)) for root in roots):
            raise InvalidInput("this folder is not open for imports; the operator opens folders in the settings")
        if not self._path.is_dir():
            raise InvalidInput("there is no such folder")

    async def entries(self) -> AsyncIterator[Entry]:
        """The files, by path."""
        for entry in await asyncio.to_thread(lambda: list(self._files())):
            yield entry

    async def fetch(self, name: str) -> Content:
        """The bytes of a file. Raises InvalidInput (NotFound where it is gone) or UpstreamError."""
        return Content(await asyncio.to_thread(self._read, name))

    async def close(self) -> None:
        """Nothing is open."""

    def _files(self) -> Iterator[Entry]:
        for folder, folders, files in os.walk(self._path):  # which follows no links to folders
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if not name.startswith(".") and self._inside(path) and path.is_file():
                    yield Entry(path.relative_to(self._path).as_posix(), path.stat().st_size)

    def _inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self._path)

    def _read(self, name: str) -> bytes:
        path = self._path / name
        try:
            if not self._inside(path) or not path.is_file():
                raise NotFound("the file is not there (any more)")
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except ValueError:  # a name that no file has
            raise NotFound("the file is not there (any more)") from None
        except OSError:
            raise UpstreamError("the file cannot be read from the disk; look at its rights") from None
        if len(data) > MOST_BYTES:
            raise InvalidInput(f"the file is larger than {MOST_BYTES >> 20} MB; split it")
        return data
