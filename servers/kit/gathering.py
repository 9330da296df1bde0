"""Work that is cheaper together: while some is being done, whatever comes waits for it and is done next, as one.

Nobody waits for company: alone, work begins at the end of the loop's turn that brought it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(NamedTuple, Generic[T, R]):
    items: Sequence[T]
    results: asyncio.Future[Sequence[R]]


class Gathering(Generic[T, R]):
    """Calls `work` with the items of several callers, `most` at a time or those of one; one result for each item.

    `work` runs in no call's context: none of their deadlines is that of all. What it raises, all of them are told.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, items: Sequence[T]) -> Sequence[R]:
        """The results of the items, in order."""
        waiting = _Waiting[T, R](items, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        return await waiting.results

    async def close(self) -> None:
        """Lets go of what is being done, and of those who wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while batch := self._next():
                await self._do(batch)
        finally:
            self._task = None
            for waiting in self._waiting:
                waiting.results.cancel()
            self._waiting.clear()

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
        try:
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
