"""Which models the backends serve, asked now and then and not for every call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextvars import Context
from typing import Generic, Protocol, TypeVar

import structlog

from servers.kit.errors import SalamError
from servers.llm.backend import Model, Traits
from servers.llm.health import Breaker, Clock

KEPT_S = 30.0

log = structlog.get_logger(__name__)


class Lists(Protocol):
    """A backend, as far as its models go."""

    @property
    def traits(self) -> Traits:
        """See Backend."""
        ...

    async def models(self) -> Sequence[Model]:
        """See Backend."""
        ...


B = TypeVar("B", bound=Lists)


class Offer(Generic[B]):
    """One backend and what it was last known to serve.

    Many callers at once ask it one question. While it is out of reach it is asked less and less often, and `problem` says
    what is wrong; `models` are then those of before.
    """

    def __init__(self, backend: B, clock: Clock = time.monotonic) -> None:
        self.backend = backend
        self.models: Sequence[Model] = ()
        self.problem: SalamError | None = None
        self._clock = clock
        self._breaker = Breaker(clock, failures=1)
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    @property
    def stale(self) -> bool:
        """Whether it is time to ask again, and sensible to."""
        return self._clock() >= self._until and (self._asking is not None or self._breaker.admits())

    async def refresh(self) -> None:
        """Asks again; never raises for what the backend does."""
        if self._asking is None:
            # In no call's context, and in no caller's task: whoever goes away leaves the others their answer.
            self._asking = asyncio.get_running_loop().create_task(self._ask(), context=Context())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        entered = self._breaker.enter()
        try:
            self.models, self.problem = await self.backend.models(), None
        except SalamError as error:
            self.problem = error
            self._breaker.fail(entered, error.retry_after)
            log.warning("a backend does not list its models", backend=self.backend.traits.name, problem=error.message)
        else:
            self._breaker.succeed(entered)
            self._until = self._clock() + KEPT_S
        finally:
            self._asking = None


async def refresh(offers: Iterable[Offer[B]]) -> None:
    """Brings what is stale up to date, all at once."""
    stale = [offer for offer in offers if offer.stale]
    if stale:
        await asyncio.gather(*(offer.refresh() for offer in stale))
