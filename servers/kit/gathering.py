"""Work that is cheaper together: while some is being done, whatever comes waits for it and is done next, as one.

Work begins when the loop has nothing else to do: alone, after some 50 µs. A busy loop is about to bring more, so that
the busier a process, the more is done at once, and the less each costs. Callers who ask again when they are answered
come round in two groups, one at work and one on its way: a group waits until it is half of them, or nobody comes for a
millisecond. Otherwise a small group would stay small, and pay as much as a large one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_QUIET_S = 0.0001  # a turn of the loop shorter than this brought nothing
_QUIET_TURNS = 3  # what comes over a socket takes a few turns to arrive
_STEP_S = 0.001  # under load: a step without a newcomer ends the wait
_LONGEST_S = 0.01  # however busy the loop


class _Waiting(NamedTuple, Generic[T, R]):
    items: Sequence[T]
    results: asyncio.Future[Sequence[R]]
    until: float


class Gathering(Generic[T, R]):
    """Calls `work` with the items of several callers, `most` at a time or those of one; one result for each item.

    `work` runs in no call's context: none of their deadlines is that of all. What it raises, all of them are told; so is
    TimeoutError when one of them has waited `patience_s` seconds.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int, patience_s: float) -> None:
        self._work = work
        self._most = most
        self._patience_s = patience_s
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._sizes = 0, 0  # of the last two batches

    async def __call__(self, items: Sequence[T]) -> Sequence[R]:
        """The results of the items, in order."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting[T, R](items, loop.create_future(), loop.time() + self._patience_s)
        self._waiting.append(waiting)
        if self._task is None:
            self._task = loop.create_task(self._run(), context=Context())
        return await waiting.results

    async def close(self) -> None:
        """Lets go of what is being done, and of those who wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._quiet()
                batch = self._next()
                self._sizes = self._sizes[1], sum(len(waiting.items) for waiting in batch)
                await self._do(batch)
        finally:
            self._task = None
            for waiting in self._waiting:
                waiting.results.cancel()
            self._waiting.clear()

    async def _quiet(self) -> None:
        """Returns when nothing more is about to come, or enough has come."""
        quiet, now = 0, time.perf_counter()
        latest = now + _LONGEST_S
        while quiet < _QUIET_TURNS and now < latest and self._gathered() < self._most:
            before = now
            await asyncio.sleep(0)
            now = time.perf_counter()
            quiet = quiet + 1 if now - before < _QUIET_S else 0
        gathered, enough = 0, min(self._most, sum(self._sizes) // 2)
        while gathered < self._gathered() < enough and now < latest:
            gathered = self._gathered()
            await asyncio.sleep(_STEP_S)
            now = time.perf_counter()

    def _gathered(self) -> int:
        return sum(len(waiting.items) for waiting in self._waiting)

    def _next(self) -> list[_Waiting[T, R]]:
        batch: list[_Waiting[T, R]] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0].items) <= self._most):
            waiting = self._waiting.popleft()
            if not waiting.results.done():  # its caller may have given up
                batch.append(waiting)
                count += len(waiting.items)
        return batch

    async def _do(self, batch: Sequence[_Waiting[T, R]]) -> None:
        if not batch:  # all have given up
            return
        try:
            async with asyncio.timeout_at(batch[0].until):  # it has waited longest; one timer for all
                results = await self._work([item for waiting in batch for item in waiting.items])
            start = 0
            for waiting in batch:
                end = start + len(waiting.items)
                if not waiting.results.done():
                    waiting.results.set_result(results[start:end])
                start = end
        except Exception as error:  # told to those who wait, whatever it is
            for waiting in batch:
                if not waiting.results.done():
                    waiting.results.set_exception(error)
        finally:
            for waiting in batch:
                waiting.results.cancel()  # of those without one: we are closing
