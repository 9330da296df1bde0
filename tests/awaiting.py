"""Waiting for what happens by and by, and reading what is streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 10.0


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Returns once `condition` holds; raises TimeoutError when it does not by and by."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.01)


async def read(stream: AsyncIterable[T], into: list[T] | None = None, pause: float = 0) -> list[T]:
    """Everything a stream gives, with a pause after each; `into` keeps what came before an error."""
    heard = [] if into is None else into
    async for item in stream:
        heard.append(item)
        await asyncio.sleep(pause)
    return heard
