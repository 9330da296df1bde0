"""Folders for Unix sockets, whose paths the operating system keeps short."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.kit.embedded.account import Account, make_private_folder

PATH_BYTES = 103  # macOS takes 103 bytes and a NUL, Linux 107


@contextmanager
def socket_folder(preferred: Path, name: str, account: Account | None = None) -> Iterator[Path]:
    """A folder in which a socket `name` can be bound, private to `account` (or to us).

    `preferred` where its path is short enough, else a temporary folder that goes away afterwards.
    """
    preferred = preferred.absolute()
    if len(os.fsencode(preferred / name)) <= PATH_BYTES:
        make_private_folder(preferred, account)
        yield preferred
        return
    temporary = Path(tempfile.mkdtemp(prefix="salambot-"))
    try:
        make_private_folder(temporary, account)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
