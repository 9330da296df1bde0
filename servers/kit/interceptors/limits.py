"""Counts calls that come from outside, by credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from servers.kit.call import Call
from servers.kit.interceptors.base import Interceptor
from servers.kit.principal import Principal


class Limiter(Protocol):
    """Knows how many calls a credential may make."""

    async def take(self, principal: Principal) -> None:
        """Counts one call; raises RateLimited when there are too many."""
        ...


class Limits(Interceptor):
    """Calls between components were counted at the edge and pass."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        if call.principal is not None and not call.principal.internal:
            await self._limiter.take(call.principal)
        yield
