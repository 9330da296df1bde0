"""`grpc.health.v1` with real dependencies behind it: a service is SERVING when what it needs answers.

Checks run in the background every few seconds, so that a probe costs nothing and many probes do not add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servers.kit.errors import NotFound, SalamError, UpstreamError

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[None]]
"""Returns when a dependency answers; raises when it does not."""

INTERVAL_S = 2.0
LIMIT_S = 2.0
SERVING = "serving"
NOT_BUILT = "not built yet"

HealthCheckResponse = health_pb2.HealthCheckResponse


def peer(address: str, service: str) -> Probe:
    """A probe of a service at another address: it must be SERVING there."""

    async def ask() -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs do not say what it has
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=LIMIT_S)
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise UpstreamError(f"{service} says that it is not serving")

    return ask


@dataclass(frozen=True, slots=True)
class Watched:
    """A service whose health is told: its component, its full gRPC name, and the names of what it cannot do without."""

    component: str
    service: str
    needs: Sequence[str]
    built: bool = True


class Health(health_pb2_grpc.HealthServicer):
    """Knows the state of every service of this process; the empty name stands for all that are built."""

    def __init__(self, watched: Sequence[Watched], checks: Mapping[str, Probe]) -> None:
        self._watched = {item.service: item for item in watched}
        self._checks = {name: check for name, check in checks.items() if any(name in item.needs for item in watched)}
        self._problems: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._draining = False

    async def run(self) -> None:
        """Checks for ever; cancelled at the end."""
        while True:
            await self.refresh()
            await asyncio.sleep(INTERVAL_S)

    async def refresh(self) -> None:
        """Asks every dependency once."""
        results = await asyncio.gather(*(self._problem(check) for check in self._checks.values()))
        problems = {name: problem for name, problem in zip(self._checks, results, strict=True) if problem}
        if problems != self._problems:
            for name in problems.keys() - self._problems.keys():
                log.warning("a dependency is out of reach", dependency=name, problem=problems[name])
            for name in self._problems.keys() - problems.keys():
                log.info("a dependency answers again", dependency=name)
            self._problems = problems
            self._tell()

    async def drain(self) -> None:
        """Tells every watcher that this process takes no more calls."""
        self._draining = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def report(self) -> dict[str, str]:
        """Component → `serving`, `not built yet`, or what it lacks."""
        return {item.component: self._state(item) for item in self._watched.values()}

    async def Check(self, request: health_pb2.HealthCheckRequest, context: object) -> HealthCheckResponse:
        """The state of one service, or of all with an empty name; NOT_FOUND for one that is not served here."""
        if request.service and request.service not in self._watched:
            raise NotFound(f"{request.service} is not served by this process")
        return HealthCheckResponse(status=self._status(request.service))

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> AsyncIterator[HealthCheckResponse]:
        """The state of one service, then every change of it; ends when this process drains, which it tells first."""
        last: int | None = None
        while True:
            changed, draining = self._changed, self._draining  # as they are now: a reader may take its time
            status = self._status(request.service)
            if status != last:
                last = status
                yield HealthCheckResponse(status=status)
            if draining:
                return  # a stream that stays open would hold up the drain
            await changed.wait()

    def _status(self, service: str) -> int:
        if service and service not in self._watched:
            return HealthCheckResponse.SERVICE_UNKNOWN
        items = [self._watched[service]] if service else [item for item in self._watched.values() if item.built]
        serving = not self._draining and all(self._state(item) == SERVING for item in items)
        return HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING

    def _state(self, item: Watched) -> str:
        if not item.built:
            return NOT_BUILT
        lacking = [f"{name}: {self._problems[name]}" for name in item.needs if name in self._problems]
        return "; ".join(lacking) or SERVING

    async def _problem(self, check: Probe) -> str:
        try:
            async with asyncio.timeout(LIMIT_S):
                await check()
        except TimeoutError:
            return f"no answer within {LIMIT_S:g} s"
        except SalamError as error:
            return error.message
        except Exception as error:  # whatever a driver raises, the dependency does not answer; what it says stays here
            log.debug("check failed", exc_info=error)
            return f"no answer ({type(error).__name__})"
        return ""
