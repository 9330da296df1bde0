"""The child of apart.Extractor: reads files one after the other, under limits the kernel keeps.

A question on stdin is a line of JSON (`name`, `media_type`, `size`) and the bytes of the file. The answer on stdout is a
line with its length and as many bytes of JSON: what was extracted, or the `problem` and whether the kind of file is
`unknown`. Nothing is pickled.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

import orjson

from servers.kit.errors import SalamError
from servers.rag.extraction.extracted import UnknownKind
from servers.rag.extraction.formats import extract

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_SECONDS = 60
"""Of one file. The deadline on the wall is the parent's."""

_NICENESS = 10


def main() -> None:
    """Answers until stdin ends."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := questions.readline():
        question = orjson.loads(line)
        data = questions.read(question["size"])
        _allow_cpu()
        answer = orjson.dumps(_answer(question, data))
        answers.write(b"%d\n" % len(answer))
        answers.write(answer)
        answers.flush()


def _answer(question: dict[str, Any], data: bytes) -> dict[str, Any]:
    try:
        found = extract(question["name"], data, question["media_type"])
    except SalamError as error:
        return {"problem": error.message, "unknown": isinstance(error, UnknownKind)}
    return {
        "title": found.title,
        "media_type": found.media_type,
        "parts": [tuple(part) for part in found.parts],
        "warnings": found.warnings,
    }


def _allow_cpu() -> None:
    """Counted from now on: the limit is on all that a process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, most))


if __name__ == "__main__":
    main()
