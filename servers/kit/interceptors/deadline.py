"""Holds every call to its deadline: the caller's, or the RPC's own limit when that is nearer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servers.kit.call import Call
from servers.kit.errors import Timeout
from servers.kit.interceptors.base import Interceptor


class Deadline(Interceptor):
    """Cancels what outlasts `call.deadline` and raises Timeout in its place."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        remaining = call.remaining()
        if remaining <= 0:
            raise Timeout("the deadline had passed before the call began")
        try:
            async with asyncio.timeout(remaining) as limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise Timeout(f"{call.method.name} did not finish before its deadline") from None
            raise
