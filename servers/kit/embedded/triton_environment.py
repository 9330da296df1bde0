"""The embedded Triton's own virtual environment: its packages cannot live beside ours (numpy below 2)."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import platform
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

from servers.kit.embedded.process import Command, StartError, run
from servers.kit.embedded.progress import Progress
from servers.kit.embedded.triton_host import TritonUnavailable

LOCK = Path(__file__).parents[3] / "requirements" / "triton.lock"
PIP_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-compile",  # half of the time; Triton's processes compile what they import
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--retries=2",
)
STAMP = "salambot-triton.sha256"  # marks a folder as ours; holds the hash of what is installed once it is complete


async def install(venv: Path, log: Path, progress: Progress) -> Path:
    """Makes `venv` what the lock says, unless it is already; its site-packages.

    Several processes may share a `venv`: one builds it, the others wait. Raises TritonUnavailable when packages cannot
    be had, for instance without a network.
    """
    venv.parent.mkdir(parents=True, exist_ok=True)
    async with _exclusive(venv.with_name(f"{venv.name}.lock")):
        if not _complete(venv):
            try:
                await _build(venv, log, progress)
            except StartError as error:
                raise TritonUnavailable(f"Triton could not be installed: {error}") from error
    return venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _complete(venv: Path) -> bool:
    """True when `venv` is what the lock says; else clears it, unless it is somebody else's."""
    stamp = venv / STAMP
    if stamp.exists() and stamp.read_text() == _hash():
        return True
    if venv.exists() and any(venv.iterdir()) and not stamp.exists():
        raise TritonUnavailable(
            f"{venv} was not made by SalamBot and is left alone: set SALAMBOT_TRITON_VENV elsewhere"
        )
    shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir()
    stamp.touch()
    return False


def _hash() -> str:
    return hashlib.sha256(
        LOCK.read_bytes() + platform.python_version().encode() + platform.machine().encode()
    ).hexdigest()


@asynccontextmanager
async def _exclusive(path: Path) -> AsyncIterator[None]:
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


async def _build(venv: Path, log: Path, progress: Progress) -> None:
    progress("triton", "Creating Triton's Python environment", 0.0)
    await run(Command("venv", [sys.executable, "-I", "-m", "venv", venv], log, [SIGTERM]))
    pip: list[str | Path] = [venv / "bin" / "python", "-I", "-m", "pip", "install", *PIP_OPTIONS, "-r", LOCK]
    reporter = asyncio.create_task(_report(log, progress))
    try:
        await run(Command("pip", pip, log, [SIGTERM]))
    finally:
        reporter.cancel()
    (venv / STAMP).write_text(_hash())


async def _report(log: Path, progress: Progress) -> None:
    """Reports the package that pip has come to, as its log names them."""
    packages = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    start, reported = _length(log), -1
    while True:
        text = _read(log, start)
        begun = max((i for i, package in enumerate(packages) if package in text), default=0)
        if begun != reported:
            progress("triton", f"Installing Triton (100 MB to download): {packages[begun]}", begun / len(packages))
        reported = begun
        await asyncio.sleep(0.3)


def _length(log: Path) -> int:
    return log.stat().st_size


def _read(log: Path, start: int) -> str:
    return log.read_bytes()[start:].decode(errors="replace")
