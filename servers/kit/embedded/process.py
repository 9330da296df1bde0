"""One child process: started with its output in a log file, stopped in order, never outliving us on Linux."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, Signals

from servers.kit.embedded.account import Account

LOG_BYTES = 4 << 20  # a larger log is set aside at the next start; the one before it is dropped
TAIL_LINES = 12


class StartError(Exception):
    """A service did not start; the message is for people and ends with what the service itself said."""


@dataclass(frozen=True)
class Command:
    """How to run a program: in `folder`, as `account`, with nothing but `environment` (default: all three are ours).

    `stop_signals` are sent in turn, `grace` seconds apart, until the program ends; the first one is also what the
    kernel sends it when we die without stopping it. `complaint` is a pattern of the log lines that say what is wrong;
    without it the last lines do.
    """

    name: str
    arguments: Sequence[str | Path]
    log: Path
    stop_signals: Sequence[Signals]
    environment: Mapping[str, str] | None = None
    account: Account | None = None
    folder: Path | None = None
    grace: float = 10.0
    complaint: str = ""


class Process:
    """A running child process."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process, log_offset: int) -> None:
        self._command = command
        self._process = process
        self._log_offset = log_offset

    @classmethod
    async def start(cls, command: Command) -> Process:
        """Starts `command` in a session of its own, so that Ctrl-C reaches only us and the stop keeps its order."""
        account = command.account or Account(-1, -1)
        launch = [os.getpid(), int(command.stop_signals[0]), account.uid, account.gid, *command.arguments]
        log = _open_log(command.log)
        try:
            offset = os.fstat(log).st_size
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(Path(__file__).with_name("launch.py")),
                *(str(argument) for argument in launch),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=command.environment,
                cwd=command.folder,
                start_new_session=True,
            )
        finally:
            os.close(log)
        return cls(command, process, offset)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """True once the process has ended."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Waits for the end; the exit status, negative for a signal."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends the process and waits until it is gone; does nothing when it already is."""
        for signal in (*self._command.stop_signals, SIGKILL):
            if self.ended:
                return
            self._process.send_signal(signal)
            try:
                await asyncio.wait_for(self._process.wait(), self._command.grace)
            except TimeoutError:
                continue

    def failure(self, what: str) -> StartError:
        """An error saying `what` happened, and what the log says of it since this process started."""
        with self._command.log.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").splitlines()
        complaints = [line for line in lines if self._command.complaint and re.search(self._command.complaint, line)]
        said = "\n".join(f"  {line}" for line in (complaints or lines)[-TAIL_LINES:]) or "  nothing"
        return StartError(f"{self._command.name} {what}. Its log, {self._command.log}, says:\n{said}")


async def run(command: Command) -> None:
    """Runs `command` to its end. Raises StartError when it fails."""
    process = await Process.start(command)
    try:
        status = await process.wait()
    finally:
        await process.stop()
    if status:
        raise process.failure(f"failed with status {status}")


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.rename(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
