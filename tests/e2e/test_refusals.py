"""Each error of the contract's table, provoked for real, and the field it names."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Installation, message

pytestmark = pytest.mark.xdist_group("e2e")


def _is(response: httpx.Response, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert "data" not in body
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    if field is not None:
        assert field in [detail.get("field") for detail in body["error"]["details"]]
    for secret in ("Traceback", "SELECT", "sk_", "asyncpg"):
        assert secret not in response.text
    return body


async def test_bad_json_says_where(salambot: Installation) -> None:
    response = await salambot.http.post(
        "/v1/messages",
        content=b'{"tenant": "demo",\n "channel": }',
        headers={**salambot.headers(), "content-type": "application/json"},
    )
    body = _is(response, 400, "invalid_input")
    assert "line 2" in body["error"]["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "telegram"}, "channel"),
        ({"channel": 3}, "channel"),
        ({"tenant": ""}, "tenant"),
        ({"message_id": ""}, "message_id"),
        ({"schema_version": "2.0"}, "schema_version"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"locale": "not a locale"}, "locale"),
        ({"data": {"user_text": "a" * 2001}}, "data.user_text"),
        ({"data": {"user_text": " \n "}}, "data.user_text"),
        ({"data": {"user_text": 7}}, "data.user_text"),
        ({"data": {"user_txt": "salam"}}, "data.user_txt"),
        ({"data": {"user_text": "x", "attachments": [{"url": ""}]}}, "data.attachments[0].url"),
        ({"data": {"user_text": "x", "attachments": [{"url": "u", "size_bytes": 11_000_000}] * 2}}, "data.attachments"),
        ({"data": {"user_text": "x", "attachments": [{"url": "u"}] * 11}}, "data.attachments"),
    ],
)
async def test_invalid_input_names_the_field(salambot: Installation, change: dict[str, Any], field: str) -> None:
    _is(await salambot.post("/v1/messages", {**message("salam"), **change}), 400, "invalid_input", field)


async def test_two_thousand_code_points_are_taken(salambot: Installation) -> None:
    await salambot.say("é" * 2000)
    await salambot.say("e\u0301" * 2000)  # 4,000 before NFC


async def test_unauthorized(salambot: Installation) -> None:
    for headers in ({}, {"authorization": "Bearer sk_0_wrong"}, {"authorization": "Basic abc"}):
        response = await salambot.http.post("/v1/messages", json=message("salam"), headers=headers)
        _is(response, 401, "unauthorized")


async def test_permission_denied(salambot: Installation) -> None:
    response = await salambot.post("/v1/messages", message("salam"), key=salambot.other_key)
    _is(response, 403, "permission_denied")
    chat_only = await salambot.process.platform.tenants.create_key("demo", name="chat", scopes=[1])
    response = await salambot.http.get("/v1/rag/documents", headers=salambot.headers(chat_only))
    _is(response, 403, "permission_denied")


async def test_not_found(salambot: Installation) -> None:
    response = await salambot.http.get("/v1/rag/documents/nothing-here", headers=salambot.headers())
    _is(response, 404, "invalid_input")


async def test_rate_limited(salambot: Installation) -> None:
    tenants = salambot.process.platform.tenants
    await tenants.put("small", name="Small", locale="fr-MA", settings={"rate_limit_per_minute": 6})
    key = await tenants.create_key("small", name="test", scopes=[1])
    responses = [await salambot.post("/v1/messages", message("salam", tenant="small"), key=key) for _ in range(4)]
    refused = responses[-1]
    _is(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 10


async def test_timeout(salambot: Installation) -> None:
    response = await salambot.post("/v1/messages", message("salam"), **{"x-timeout-ms": "1"})
    _is(response, 504, "timeout")


async def test_unbuilt_components_say_so(salambot: Installation) -> None:
    response = await salambot.http.get("/v1/tickets", headers=salambot.headers())
    body = _is(response, 501, "internal_error")
    assert "not built yet" in body["error"]["message"]


async def test_nothing_refused_is_stored(salambot: Installation) -> None:
    async def turns() -> int:
        async with salambot.process.platform.postgres.tenant("demo") as connection:
            return int(await connection.fetchval("SELECT count(*) FROM turns"))

    before = await turns()
    bodies = [{**message("salam"), "channel": "x"}, message("a" * 2001), {**message("salam"), "schema_version": "9.9"}]
    await asyncio.gather(*(salambot.post("/v1/messages", body) for body in bodies))
    await salambot.post("/v1/messages", message("salam"), **{"x-timeout-ms": "1"})
    assert await turns() == before
