"""Office files are zip archives of XML: what is checked before a library inflates one."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO

from servers.kit.errors import InvalidInput

_MOST_ENTRIES = 10_000
_MOST_INFLATED = 256 * 1024 * 1024
_MOST_RATIO = 200  # of honest XML: tens
_SMALL = 1024 * 1024  # bytes that any ratio is fine for
_DECLARATIONS = tuple(
    mark.encode(encoding) for mark in ("<!DOCTYPE", "<!ENTITY") for encoding in ("ascii", "utf-16-le", "utf-16-be")
)


def opened(data: bytes) -> zipfile.ZipFile:
    """The archive. Raises InvalidInput for what is none."""
    try:
        return zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise InvalidInput("the file is damaged: it is no archive that can be opened; save it again") from None


def check(archive: zipfile.ZipFile) -> None:
    """Raises InvalidInput for an archive that inflates out of proportion, and for XML that declares entities.

    Sizes are those the archive declares: reading stops there, whatever follows. Open Packaging allows no declarations.
    """
    entries = archive.infolist()
    inflated = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_ENTRIES or inflated > _MOST_INFLATED:
        raise InvalidInput("the file inflates to more than 256 MB; split it")
    if any(entry.file_size > max(_SMALL, entry.compress_size * _MOST_RATIO) for entry in entries):
        raise InvalidInput("the file inflates out of all proportion to its size; save it again")
    for entry in entries:
        if entry.flag_bits & 1:
            raise InvalidInput("the file is protected by a password; save it without one")
        if entry.filename.lower().endswith((".xml", ".rels", ".vml")):
            content = _inflated(archive, entry)
            if any(mark in content for mark in _DECLARATIONS):
                raise InvalidInput("the file declares XML entities, which office files never do; save it again")


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error):
        raise InvalidInput(f"the file is damaged in {entry.filename}; save it again") from None
