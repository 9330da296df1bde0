"""What browsers look at: cross-origin permissions and security headers."""

from __future__ import annotations

import httpx
import pytest
from salambot.orchestrator.v1 import orchestrator_service_pb2

from servers.kit.errors import Unauthorized
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
