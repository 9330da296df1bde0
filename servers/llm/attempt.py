"""One model's try at a reply: within its limits, and its outcome told to its health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial

from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.llm.backend import Conversation, Finished, Piece
from servers.llm.instructions import fitted
from servers.llm.selection import Deployment

_FAIR_S = 1.0
"""A model that did not begin within less than this was not given the time: its caller had none left."""


class Attempt:
    """Begun by `first`, which waits for the first piece; `rest` goes on; `close`, always, stops the work behind it.

    Both raise InvalidInput, UpstreamError or Timeout. A caller that goes away is no failure of the model's.
    """

    def __init__(self, deployment: Deployment, conversation: Conversation) -> None:
        self._deployment = deployment
        self._health = deployment.health
        self._prompt = fitted(conversation, deployment.model.window)
        self._pieces = deployment.backend.write(self._prompt, deployment.model)
        self._said_something = False
        self._entered: int | None = self._health.breaker.enter()
        self._health.in_flight += 1

    async def first(self, most_s: float) -> Piece:
        """The first piece, within the backend's limit and `most_s` seconds."""
        began = time.monotonic()
        try:
            piece = await self._next(min(self._deployment.backend.traits.first_token_s, most_s))
        except Timeout:
            self._health.latency.observe(time.monotonic() - began)  # it would have taken longer still
            raise
        self._health.latency.observe(time.monotonic() - began)
        return piece

    async def rest(self) -> AsyncGenerator[Piece]:
        """What follows the first piece, up to Finished, which ends it."""
        piece: Piece | None = None
        while not isinstance(piece, Finished):
            piece = await self._next(self._deployment.backend.traits.silence_s)
            yield piece

    async def close(self) -> None:
        """Ends it, wherever it is."""
        self._health.in_flight -= 1
        self._tell(self._health.breaker.leave)
        await self._pieces.aclose()

    async def _next(self, limit_s: float) -> Piece:
        try:
            async with asyncio.timeout(limit_s):
                piece = await anext(self._pieces)
            if isinstance(piece, Finished):
                return self._finished(piece)
        except TimeoutError:
            self._tell(self._health.breaker.fail if limit_s >= _FAIR_S else self._health.breaker.leave)
            raise Timeout("the model did not go on in time") from None
        except StopAsyncIteration:
            self._tell(self._health.breaker.fail)
            raise UpstreamError("the model broke off its reply") from None
        except InvalidInput:  # a conversation that is refused says nothing of the model's health
            self._tell(self._health.breaker.leave)
            raise
        except SalamError as error:
            self._tell(partial(self._health.breaker.fail, retry_after=error.retry_after))
            raise
        self._said_something = True
        return piece

    def _finished(self, piece: Finished) -> Finished:
        prompt, model = self._prompt.prompt, self._deployment.model
        if prompt is not None and not self._said_something:
            raise UpstreamError("the model answered without a text")
        self._tell(self._health.breaker.succeed)
        piece.usage.cost_micros = model.cost(piece.usage)
        used = tuple(range(len(prompt.passages))) if piece.used is None and prompt is not None else piece.used
        return replace(piece, used=used, model=model.name, backend=self._deployment.backend.traits.name)

    def _tell(self, outcome: Callable[[int], None]) -> None:
        """Tells the outcome, the first one alone."""
        entered, self._entered = self._entered, None
        if entered is not None:
            outcome(entered)
