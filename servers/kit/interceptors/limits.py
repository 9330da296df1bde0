"""Counts calls that come from outside, by credential."""

from __future__ import annotations

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

    async def on_call(self, call: Call) -> None:
        """Raises RateLimited."""
        if call.principal is not None and not call.principal.internal:
            await self._limiter.take(call.principal)
