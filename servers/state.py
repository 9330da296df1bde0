"""What a serving process tells other commands of the same home folder: where everything is. Gone when it stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

FILE = "running.json"


@dataclass(frozen=True, slots=True)
class State:
    """A serving process: ports are 0 where it does not serve; `triton` is None where ONNX Runtime stands in for it."""

    pid: int
    http: str
    grpc: str
    database: str
    redis: str
    triton: str | None
    without_triton: str


@contextmanager
def told(home: Path, state: State) -> Iterator[None]:
    """Keeps the state in the home folder, readable by its owner alone, while the block runs."""
    file = home / FILE
    file.touch(mode=0o600)
    file.write_bytes(orjson.dumps(asdict(state)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read(home: Path) -> State | None:
    """The state of the process that serves from this home folder, or None when none does."""
    try:
        state = State(**orjson.loads((home / FILE).read_bytes()))
        os.kill(state.pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, TypeError):
        return None
    return state
