"""What operators ask of a gateway."""

from __future__ import annotations

import httpx

from tests.gateway.conftest import Behind

ROUTE = 'route="/v1/conversations/{data.conversation_id}/turns"'
SERIES = f'salambot_http_seconds_count{{method="GET",{ROUTE},status="200"}} '


async def test_liveness(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_readiness_is_that_of_all_components(client: httpx.AsyncClient, behind: Behind) -> None:
    behind.states = {"nlu": "serving", "memory": "not built yet"}
    ready = await client.get("/readyz")
    behind.states = {"nlu": "serving", "rag": "vectors: connection refused"}
    unready = await client.get("/readyz")

    assert ready.status_code == 200
    assert (unready.status_code, unready.json()["components"]["rag"]) == (503, "vectors: connection refused")


async def test_requests_are_measured_by_route_and_never_by_path(client: httpx.AsyncClient) -> None:
    before = (await client.get("/metrics")).text
    await client.get("/v1/conversations/secret-id/turns")
    after = (await client.get("/metrics")).text

    assert _count(after) == _count(before) + 1
    assert "python_info" in after
    assert "secret-id" not in after


def _count(metrics: str) -> float:
    return next((float(line.removeprefix(SERIES)) for line in metrics.splitlines() if line.startswith(SERIES)), 0.0)
