"""Chooses the backend of a prompt and goes on to the next one when it fails before it said anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

import structlog

from servers.kit.errors import InvalidInput, Timeout, UpstreamError, Violation
from servers.kit.telemetry import DEGRADED
from servers.llm.backend import Backend, Piece, Prompt

AUTO = "auto"

log = structlog.get_logger(__name__)


class Router:
    """A chain of backends, the best first; the last one needs nothing and always answers."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = backends

    async def models(self) -> list[tuple[str, str, bool]]:
        """Every model: its name, its backend, and whether it can be reached; `auto` stands for the router's choice."""
        found = []
        for backend in self._backends:
            try:
                found += [(model, backend.name, True) for model in await backend.models()]
            except UpstreamError:
                found.append((AUTO, backend.name, False))
        return found

    async def write(self, prompt: Prompt, model: str) -> AsyncGenerator[Piece]:
        """Writes a reply with the first backend that answers.

        Raises InvalidInput for a model that nobody serves, and UpstreamError or Timeout when a backend fails in the
        middle of its reply: half a reply cannot be taken back.
        """
        chain, wanted = await self._chain(model)
        for position, backend in enumerate(chain):
            began = False
            try:
                # A backend's `write` is an async generator; closing it stops the work behind it.
                async with aclosing(cast(AsyncGenerator[Piece], backend.write(prompt, wanted))) as pieces:
                    async for piece in pieces:
                        began = True
                        yield piece
                return
            except (UpstreamError, Timeout) as error:
                if began or position == len(chain) - 1:
                    raise
                DEGRADED.labels("llm", backend.name).inc()
                log.warning("backend failed, the next one answers", backend=backend.name, problem=error.message)

    async def _chain(self, model: str) -> tuple[Sequence[Backend], str | None]:
        if model in ("", AUTO):
            return self._backends, None
        for backend in reversed(self._backends):  # the last needs nothing, and never waits for a server that is down
            try:
                if model in await backend.models():
                    return [backend], model
            except UpstreamError:
                continue
        raise InvalidInput(
            f"no model {model} is served; list them at /v1/llm/models",
            violations=[Violation("data.model", "is not a model that is served; use `auto`")],
        )
