"""Holds every call to its deadline: the caller's, or the RPC's own limit when that is nearer."""

from __future__ import annotations

import asyncio
from types import TracebackType

from servers.kit.call import Call
from servers.kit.errors import Timeout
from servers.kit.interceptors.base import Interceptor


class Deadline(Interceptor):
    """Cancels what outlasts `call.deadline` and raises Timeout in its place."""

    def around(self, call: Call) -> _Limit:
        """See Interceptor."""
        return _Limit(call)


class _Limit:
    __slots__ = ("_call", "_timeout")

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        remaining = self._call.remaining()
        if remaining <= 0:
            raise Timeout("the deadline had passed before the call began")
        self._timeout = asyncio.timeout(remaining)
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise Timeout(f"{self._call.method.name} did not finish before its deadline") from None
