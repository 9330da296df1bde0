"""Servers under measurement, each in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def serving(module: str, *arguments: str) -> AsyncIterator[int]:
    """Runs `python -m module` and yields the port that it prints when it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 180)
        if not line:
            raise RuntimeError(f"{module} did not start")
        yield int(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
