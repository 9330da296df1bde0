"""Extraction in processes of its own: no file can take the server down, or its memory."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from contextlib import suppress

import orjson

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import MOST_BYTES, Extracted, UnknownKind
from servers.rag.passages import Part

DEADLINE_S = 120.0
"""Of one file, from its turn on."""

_FILES_OF_A_CHILD = 200  # then another one takes over, whatever its libraries have kept


class Extractor:
    """`extract` in child processes, `children` at once, started when they are needed and kept for the next file.

    A file that ends its child (by memory, time, or a fault of a library) is an error of that file; the next one gets
    another child.
    """

    def __init__(self, children: int = 2, deadline: float = DEADLINE_S) -> None:
        self._turns = asyncio.Semaphore(children)
        self._idle: list[_Child] = []
        self._deadline = deadline

    async def extract(self, name: str, data: bytes, media_type: str = "") -> Extracted:
        """The parts of a file; see `formats.extract`. Raises InvalidInput (UnknownKind for a kind that is not read)."""
        if len(data) > MOST_BYTES:
            raise InvalidInput(f"the file is larger than {MOST_BYTES >> 20} MB; split it")
        async with self._turns:
            child = self._idle.pop() if self._idle else await _Child.start()
            try:
                async with asyncio.timeout(self._deadline):
                    answer = await child.ask({"name": name, "media_type": media_type, "size": len(data)}, data)
            except TimeoutError:
                raise InvalidInput("the file takes too long to read; split it") from None
            except (ConnectionError, asyncio.IncompleteReadError):
                raise InvalidInput(
                    "the file cannot be read within the time and memory of one; split or mend it"
                ) from None
            finally:
                if child.answered and child.files < _FILES_OF_A_CHILD:
                    self._idle.append(child)
                else:
                    await child.end()
        return await asyncio.to_thread(_read, answer)

    async def close(self) -> None:
        """Ends the children that wait for a file."""
        while self._idle:
            await self._idle.pop().end()


class _Child:
    """A process of `worker`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.files = 0
        self.answered = False

    @classmethod
    async def start(cls) -> _Child:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL  # libraries' complaints quote their files
        command = (sys.executable, "-m", "servers.rag.extraction.worker")
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=nothing))

    async def ask(self, question: dict[str, object], data: bytes) -> bytes:
        """The answer to a question. Raises ConnectionError, or IncompleteReadError when the child ends over it."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        self.answered = False
        self.files += 1
        questions.write(orjson.dumps(question) + b"\n")
        questions.write(data)
        await questions.drain()
        answer = await answers.readexactly(int(await answers.readuntil(b"\n")))
        self.answered = True
        return answer

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _read(answer: bytes) -> Extracted:
    words = orjson.loads(answer)
    if "problem" in words:
        raise (UnknownKind if words["unknown"] else InvalidInput)(words["problem"])
    parts = tuple(Part(*part) for part in words["parts"])
    return Extracted(words["title"], words["media_type"], parts, tuple(words["warnings"]))
