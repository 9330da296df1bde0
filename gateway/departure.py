"""Gives a request up when its client has gone, so that nothing works on for nobody."""

from __future__ import annotations

import asyncio
from types import TracebackType

from gateway.exchange import ClientGone, Exchange

PATIENCE_S = 0.1


class Presence:
    """Around the work on a request: cancels it when the client goes, and raises ClientGone in its place.

    The client is watched only from `PATIENCE_S` on: a request that is answered sooner pays for a timer (3 µs) and not
    for a task of its own (8 µs), and there is little left to save of it.
    """

    __slots__ = ("_exchange", "_gone", "_timer", "_watching", "_work")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._gone = False
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._work = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        # The server that stops may have cancelled it too: then its word counts.
        if self._gone and self._work is not None and not self._work.uncancel():
            raise ClientGone from None

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._exchange.disconnected()
        self._gone = True
        if self._work is not None:
            self._work.cancel()
