"""Values that all processes share, in Redis, at a cost that a message of 0.2 ms can bear.

A question to Redis costs 0.08 ms of CPU, nearly all of it for the asking: so one is on its way at a time, and whatever
is asked meanwhile goes together. What is to be kept is written later, many values in one command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Mapping
from contextvars import Context
from itertools import islice
from typing import Any, TypeVar, cast

from servers.kit.cache import Cache

T = TypeVar("T")

_UNWRITTEN = 10_000  # values that may wait
_AT_ONCE = 500
_PAUSE_S = 0.05  # values gather this long, so that a busy process writes them by the hundred
_SET = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1]) end"


class SharedValues:
    """Values by whole key (`salam:<tenant>:…`), each kept for `kept_s` seconds. Without Redis there are none."""

    def __init__(self, cache: Cache, kept_s: float) -> None:
        self._cache = cache
        self._kept_ms = int(kept_s * 1000)
        self._asked: set[str] = set()
        self._next: asyncio.Task[Mapping[str, bytes]] | None = None
        self._turn = asyncio.Lock()
        self._unwritten: dict[str, bytes] = {}
        self._writing: asyncio.Task[None] | None = None

    async def find(self, keys: Collection[str]) -> dict[str, bytes]:
        """The values that there are."""
        if not keys or self._cache.resting:
            return {}
        self._asked.update(keys)
        if self._next is None:
            self._next = _start(self._ask())
        values = await asyncio.shield(self._next)  # others wait for it as well
        return {key: values[key] for key in keys if key in values}

    def put(self, key: str, value: bytes) -> None:
        """Keeps a value soon; not at all while Redis is down, or more than it takes."""
        if self._cache.resting or len(self._unwritten) >= _UNWRITTEN:
            return
        self._unwritten[key] = value
        if self._writing is None or self._writing.done():
            self._writing = _start(self._write())

    async def close(self) -> None:
        """Writes what is left."""
        if self._writing is not None:
            await self._writing

    async def _ask(self) -> Mapping[str, bytes]:
        async with self._turn:
            keys, self._asked, self._next = list(self._asked), set(), None
            redis = self._cache.redis
            values = await self._cache.ask(lambda: cast(Awaitable[list[bytes | None]], redis.mget(keys)))
        return {key: value for key, value in zip(keys, values or (), strict=False) if value is not None}

    async def _write(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        while self._unwritten:
            await self._set({key: self._unwritten.pop(key) for key in list(islice(self._unwritten, _AT_ONCE))})

    async def _set(self, values: Mapping[str, bytes]) -> None:
        arguments: list[str | bytes | int] = [*values, self._kept_ms, *values.values()]
        redis = self._cache.redis
        await self._cache.ask(lambda: cast(Awaitable[None], redis.eval(_SET, len(values), *arguments)))


def _start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Runs in no call's context: the deadline of one that asks is not that of the others."""
    return asyncio.get_running_loop().create_task(work, context=Context())
