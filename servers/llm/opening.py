"""Finds the model that begins to answer: one after the other, or two at once where the first is slower than nearly always."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import structlog

from servers.kit.call import current_or_none
from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.kit.telemetry import DEGRADED
from servers.llm.attempt import Attempt
from servers.llm.backend import Conversation, Piece
from servers.llm.selection import Deployment

Begun: TypeAlias = tuple[Attempt, Piece]
"""An attempt and its first piece; whoever gets it closes it."""

_FAILURES = (InvalidInput, UpstreamError, Timeout)

log = structlog.get_logger(__name__)


async def begin(conversation: Conversation, chain: Sequence[Deployment]) -> Begun:
    """The first of `chain` that says something. Raises what the last one of them failed with."""
    failure: SalamError | None = None
    waiting = deque(chain)
    while waiting:
        deployment = waiting.popleft()
        if not deployment.health.breaker.admits():
            failure = failure or _resting(deployment)
            continue
        try:
            return await _begin(conversation, deployment, waiting)
        except _FAILURES as error:
            failure = error
            if waiting:
                DEGRADED.labels("llm", deployment.backend.traits.name).inc()
                log.warning("model failed, the next one answers", model=deployment.name, problem=error.message)
    raise failure or UpstreamError("no model can be asked now")


async def _begin(conversation: Conversation, deployment: Deployment, waiting: deque[Deployment]) -> Begun:
    after_s = deployment.health.latency.p95 if deployment.backend.traits.hedged else None
    other = waiting[0] if waiting else None
    if (
        after_s is None
        or other is None
        or other.backend is deployment.backend  # the same machine is slow for both
        or other.backend.traits.last_resort  # it would always win
        or not other.health.breaker.admits()
    ):
        return await _open(conversation, deployment, _share(waiting))
    return await _race(conversation, deployment, waiting, after_s)


async def _race(
    conversation: Conversation, deployment: Deployment, waiting: deque[Deployment], after_s: float
) -> Begun:
    """The one of two that says something first; the second starts after `after_s` seconds, and is taken from `waiting`."""
    racing = {asyncio.create_task(_open(conversation, deployment, _share(waiting)))}
    begun: list[Begun] = []
    failure: BaseException | None = None
    try:
        done, racing = await asyncio.wait(racing, timeout=after_s)
        if not done:
            racing.add(asyncio.create_task(_open(conversation, waiting.popleft(), _share(waiting))))
            done, racing = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        while True:
            begun = [task.result() for task in done if task.exception() is None]
            if begun:
                return begun.pop()
            failure = next(iter(done)).exception() or failure
            if not racing:
                break
            done, racing = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in racing:
            task.cancel()  # it closes what it has opened
        await asyncio.gather(*racing, return_exceptions=True)
        for attempt, _ in begun:  # both at the same moment
            await attempt.close()
    assert failure is not None
    raise failure


async def _open(conversation: Conversation, deployment: Deployment, most_s: float) -> Begun:
    attempt = Attempt(deployment, conversation)
    try:
        return attempt, await attempt.first(most_s)
    except BaseException:
        await attempt.close()
        raise


def _share(waiting: Sequence[Deployment] | deque[Deployment]) -> float:
    """Seconds an attempt may take to begin: half of what the call has left while there is another to turn to."""
    call = current_or_none()
    if call is None:
        return float("inf")
    return max(call.remaining() / (2 if waiting else 1), 0.001)


def _resting(deployment: Deployment) -> UpstreamError:
    rest = deployment.health.breaker.seconds_left()
    return UpstreamError(
        f"the model {deployment.model.name} failed and is left alone for now", retry_after=rest or None
    )
