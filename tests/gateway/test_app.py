"""The application around the endpoints: faults, and routes that others add."""

from __future__ import annotations

from dataclasses import replace

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.server import serving
from servers.kit.errors import NotFound
from tests.gateway.conftest import Behind, Origins


async def test_a_fault_tells_nothing_but_the_correlation_id(behind: Behind, envelope: dict[str, object]) -> None:
    class Broken(Origins):
        async def allowed_origins(self, tenant: str) -> set[str]:
            raise RuntimeError("SELECT secret FROM tenants")

    async with (
        serving(create_app(replace(behind, tenants=Broken())), "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        body = {**envelope, "data": {"user_text": "salam"}}
        response = await client.post("/v1/messages", json=body, headers={"Origin": "https://shop.example"})

    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert response.json()["correlation_id"] == "corr_1"
    assert "SELECT" not in response.text


async def test_further_routes_share_errors_and_headers(behind: Behind) -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("salam", headers={"content-security-policy": "default-src 'self'"})

    async def missing(_: Request) -> Response:
        raise NotFound("no such page")

    app = create_app(behind, routes=[Route("/page", page), Route("/missing", missing)])
    async with (
        serving(app, "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        served, refused = await client.get("/page"), await client.get("/missing")

    assert (served.text, served.headers["content-security-policy"]) == ("salam", "default-src 'self'")
    assert served.headers["x-content-type-options"] == "nosniff"
    assert (refused.status_code, refused.json()["error"]["message"]) == (404, "no such page")
