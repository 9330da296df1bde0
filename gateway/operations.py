"""What operators ask of a process: is it alive, can it work, what has it done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Readiness = Callable[[], Awaitable[dict[str, str]]]

_FINE = frozenset({"serving", "not built yet"})


def operations(readiness: Readiness, metrics: CollectorRegistry) -> list[Route]:
    """`/healthz`, `/readyz` and `/metrics`. `readiness` tells each component's state: `serving`, or what it lacks."""

    async def healthz(_: Request) -> Response:
        return _json(200, {"status": "alive"})

    async def readyz(_: Request) -> Response:
        components = await readiness()
        # A component that is not built yet answers UNIMPLEMENTED as it should; there is nothing to wait for.
        ready = all(state in _FINE for state in components.values())
        return _json(200 if ready else 503, {"status": "ready" if ready else "not ready", "components": components})

    async def exposition(_: Request) -> Response:
        return Response(generate_latest(REGISTRY) + generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposition)]


def _json(status: int, content: object) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json", headers={"cache-control": "no-store"})
