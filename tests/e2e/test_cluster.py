"""The same components apart, as in a cluster: gateway, orchestrator and the rest in installations of their own that
share Postgres and Redis by URL and find each other over gRPC."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servers.demo import load_demo
from servers.kit.embedded.progress import silent
from servers.kit.settings import Settings, read_settings
from servers.registry import select
from servers.runtime import running
from tests.e2e.conftest import message

pytestmark = pytest.mark.xdist_group("cluster")

SECRET = "a secret that all processes of this cluster share"


def _settings(home: str, **more: Any) -> Settings:
    return read_settings(
        home=Path(home),
        http_port=0,
        grpc_port=0,
        internal_secret=SECRET,
        embedded_triton=False,
        drain_seconds=1,
        **more,
    )


async def test_a_message_crosses_three_processes(database_url: str, redis_url: str) -> None:
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as two,
        tempfile.TemporaryDirectory() as three,
    ):
        shared = {"database_url": database_url, "redis_url": redis_url}
        async with running(
            _settings(one, **shared), select(["nlu", "rag", "llm"]), gateway=False, grpc=True, progress=silent
        ) as rest:
            key = await load_demo(rest.platform, Path(one), silent)
            others = f"127.0.0.1:{rest.grpc_port}"
            async with (
                running(
                    _settings(two, peers=others, **shared),
                    select(["orchestrator"]),
                    gateway=False,
                    grpc=True,
                    progress=silent,
                ) as orchestrator,
                running(
                    _settings(three, peers=f"127.0.0.1:{orchestrator.grpc_port}", **shared),
                    [],
                    gateway=True,
                    grpc=False,
                    progress=silent,
                ) as gateway,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=30) as http,
            ):
                await _is_answered(http, key)
                await _knows_its_peers(http)
                await _is_healthy(orchestrator.grpc_port, "salambot.orchestrator.v1.OrchestratorService")


async def _is_answered(http: httpx.AsyncClient, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    response = await http.post(
        "/v1/messages", json=message("salam 3afak fin n9der nshouf la facture ?"), headers=headers
    )
    data = response.json()["data"]
    assert data["language"] == "darija_arabizi"
    assert data["citations"][0]["loc"] == "#voir-facture"
    refused = await http.post("/v1/messages", json={**message("x"), "tenant": "other"}, headers=headers)
    assert refused.status_code == 403
    streamed = await http.post("/v1/messages:stream", json=message("Comment payer ma facture ?"), headers=headers)
    assert streamed.text.count("event: reply") == 1


async def _knows_its_peers(http: httpx.AsyncClient) -> None:
    """The gateway asks each component where it expects it; here it expects all of them at the orchestrator's."""
    ready = await http.get("/readyz")
    assert ready.status_code == 503
    components = ready.json()["components"]
    assert components["orchestrator"] == "serving"
    assert components["nlu"].startswith("nlu: ")
    assert components["ticketing"] == "not built yet"


async def _is_healthy(port: int, service: str) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
