"""The account a service runs as when we are root: Postgres refuses to run as root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = ("postgres", "nobody")  # the first that exists; no account is added to the machine


@dataclass(frozen=True)
class Account:
    """A user and group id of the operating system; -1 leaves ours."""

    uid: int
    gid: int


def unprivileged(folder: Path) -> Account | None:
    """The account that owns or shall own `folder` when we are root; None when we are not.

    The owner wins, so that data stays readable when an account of a better name appears later.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise OSError(f"no account to run Postgres as: root cannot, and none of {', '.join(ACCOUNTS)} exists")


def make_private_folder(folder: Path, account: Account | None) -> None:
    """Makes `folder`, open to `account` (or to us) alone, and lets the account reach it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
        let_through(folder, account)


def let_through(path: Path, account: Account) -> None:
    """Lets `account` pass through the folders above `path` that are not its own: traversed by all, listed by none."""
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid != account.uid and not status.st_mode & 0o001:
            folder.chmod(status.st_mode | 0o001)


def let_read(folder: Path) -> None:
    """Lets every account read and run what lies in `folder` (installed by a root whose umask forbids it)."""
    if folder.stat().st_mode & 0o005 == 0o005:
        return
    for path in (*folder.rglob("*"), folder):  # the folder last: its mode says that all is done
        mode = path.stat().st_mode
        path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))
