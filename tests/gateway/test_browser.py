"""What browsers look at: cross-origin permissions, security headers, and the documentation page."""

from __future__ import annotations

import re

import httpx
import pytest
from salambot.orchestrator.v1 import orchestrator_service_pb2

from servers.kit.errors import Unauthorized
from tests.gateway.conftest import Behind
from tests.gateway.peer import Peer

SHOP, OTHER, STRANGER = "https://shop.example", "https://other.example", "https://evil.example"
ALLOWED = "access-control-allow-origin"


@pytest.mark.parametrize(("origin", "allowed"), [(SHOP, SHOP), (OTHER, OTHER), (STRANGER, None), ("null", None)])
async def test_a_preflight_permits_what_any_tenant_permits(
    client: httpx.AsyncClient, origin: str, allowed: str | None
) -> None:
    response = await client.options("/v1/messages", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})

    assert response.status_code == 204
    assert response.headers.get(ALLOWED) == allowed
    assert response.headers.get("access-control-allow-methods") == ("POST" if allowed else None)
    assert response.headers["vary"] == "origin"


@pytest.mark.parametrize(("origin", "allowed"), [(SHOP, SHOP), (OTHER, None), (STRANGER, None)])
async def test_a_reply_is_for_the_pages_of_its_tenant(
    client: httpx.AsyncClient, envelope: dict[str, object], origin: str, allowed: str | None
) -> None:
    body = {**envelope, "data": {"user_text": "salam"}}
    response = await client.post("/v1/messages", json=body, headers={"Origin": origin})
    assert (response.status_code, response.headers.get(ALLOWED)) == (200, allowed)


async def test_a_stream_is_for_the_pages_of_its_tenant(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    body = {**envelope, "data": {"user_text": "salam"}}
    for origin, allowed in ((SHOP, SHOP), (OTHER, None)):
        answers.replies["StreamMessage"].append([orchestrator_service_pb2.StreamMessageResponse()])
        response = await client.post("/v1/messages:stream", json=body, headers={"Origin": origin})
        assert response.headers.get(ALLOWED) == allowed


async def test_a_page_may_read_why_it_was_refused(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["SendMessage"].append(Unauthorized("who are you?"))
    body = {**envelope, "data": {"user_text": "salam"}}
    response = await client.post("/v1/messages", json=body, headers={"Origin": SHOP})
    assert (response.status_code, response.headers.get(ALLOWED)) == (401, SHOP)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/v1/llm/models", "/v1/messages", "/nowhere", "/healthz", "/docs", "/openapi.json"])
async def test_every_reply_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "server" not in response.headers


async def test_the_documentation_brings_everything_itself(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert re.search(r"<script>|<style|\son\w+=|style=", page.text) is None
    assert len(files) == 5
    for file in files:
        assert file.startswith("/")
        assert (await client.get(file)).status_code == 200
    assert (await client.get("/docs/../app.py")).status_code == 404
    assert (await client.get("/docs/nothing.js")).json()["error"]["code"] == "invalid_input"


async def test_health_readiness_and_metrics(client: httpx.AsyncClient, behind: Behind) -> None:
    behind.states = {"nlu": "serving", "memory": "not built yet"}
    ready = await client.get("/readyz")
    behind.states = {"nlu": "serving", "rag": "vectors: connection refused"}
    unready = await client.get("/readyz")
    await client.get("/v1/conversations/c1/turns")
    metrics = (await client.get("/metrics")).text

    assert (await client.get("/healthz")).json() == {"status": "alive"}
    assert ready.status_code == 200
    assert (unready.status_code, unready.json()["components"]["rag"]) == (503, "vectors: connection refused")
    route = 'route="/v1/conversations/{data.conversation_id}/turns"'
    assert f'salambot_http_seconds_count{{method="GET",{route},status="200"}} 1.0' in metrics
    assert "python_info" in metrics
