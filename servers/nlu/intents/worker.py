"""Training in a process of its own, at a lower priority: the server goes on answering.

The parent writes a line of JSON (`intents`, `width`) and the vectors to the child's stdin; the child answers
on its stdout with lines of JSON: `progress` any number of times, then `head` and `columns`, followed by the head's
bytes and the cross-validated probabilities. Numbers are little-endian float32. Nothing is pickled. A child whose
parent is gone ends at its next word of progress.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import orjson

from servers.kit.errors import InternalError, UpstreamError
from servers.nlu.intents.head import Head, Probabilities, Vectors, train

_NICENESS = 10
_AT_ONCE = 1024  # vectors that are written to the child together
_FLOAT = np.dtype("<f4")


class Trained(NamedTuple):
    """A head, and the cross-validated probabilities of the examples it was trained on."""

    head: Head
    probabilities: Probabilities


async def train_apart(
    intents: Sequence[str],
    vectors: Vectors,
    progress: Callable[[float], Awaitable[None]],
) -> Trained:
    """`train` in a child process.

    Raises UpstreamError when the child was killed, InternalError when it failed by itself: it would again.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        header = {"intents": list(intents), "width": vectors.shape[1]}
        child.stdin.write(orjson.dumps(header) + b"\n")
        for start in range(0, len(vectors), _AT_ONCE):
            await child.stdin.drain()
            child.stdin.write(vectors[start : start + _AT_ONCE].astype(_FLOAT).tobytes())
        await child.stdin.drain()
        child.stdin.close()
        return await _listen(child.stdout, len(intents), progress)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        if await child.wait() > 0:
            raise InternalError("the training failed; its cause stands in the log") from error
        raise UpstreamError("the training was cut off") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        with suppress(ConnectionError):  # what it did not read any more
            await child.stdin.wait_closed()


async def _listen(answer: asyncio.StreamReader, rows: int, progress: Callable[[float], Awaitable[None]]) -> Trained:
    while True:
        words = orjson.loads(await answer.readuntil(b"\n"))
        if "progress" not in words:
            break
        await progress(words["progress"])
    head = Head.from_bytes(await answer.readexactly(words["head"]))
    numbers = await answer.readexactly(rows * words["columns"] * _FLOAT.itemsize)
    return Trained(head, np.frombuffer(numbers, _FLOAT).reshape(rows, -1))


def main() -> None:
    """The child."""
    os.nice(_NICENESS)
    question, answer = sys.stdin.buffer, sys.stdout.buffer

    def say(**words: float) -> None:
        answer.write(orjson.dumps(words) + b"\n")
        answer.flush()

    header = orjson.loads(question.readline())
    vectors = np.frombuffer(question.read(), _FLOAT).reshape(-1, header["width"])
    head, probabilities = train(header["intents"], vectors, lambda share: say(progress=share))
    content = head.to_bytes()
    say(head=len(content), columns=probabilities.shape[1])
    answer.write(content)
    answer.write(np.ascontiguousarray(probabilities, _FLOAT).data)
    answer.flush()


if __name__ == "__main__":
    main()
