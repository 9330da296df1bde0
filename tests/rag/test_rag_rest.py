"""Files and imports over REST: the real gateway before the real service."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from rag_client import Client
from salambot.common.v1 import options_pb2

from gateway.app import create_app
from gateway.server import serving
from servers.kit.platform import Platform
from servers.rag.uploads.store import Store

TEXT = b"## Q {#q}\nUne r\xc3\xa9ponse."


@pytest.fixture(scope="session")
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway."""
    async with (
        serving(create_app(platform), "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@dataclass(frozen=True)
class Rest:
    """REST as one tenant calls it."""

    http: httpx.AsyncClient
    client: Client
    headers: dict[str, str]

    async def upload(self, content: Any, name: str = "guide.md", **headers: str) -> httpx.Response:
        """Sends a file."""
        parameters = {"name": name, "tenant": self.client.tenant}
        return await self.http.post(
            "/v1/rag/files", params=parameters, content=content, headers={**self.headers, **headers}
        )

    async def uploads(self) -> int:
        """Bytes of the uploads that wait."""
        return await Store(self.client.platform.postgres).held(self.client.tenant)


@pytest.fixture
async def rest(http: httpx.AsyncClient, client: Client) -> Rest:
    return await _rest(http, client)


@pytest.fixture
async def other(http: httpx.AsyncClient, stranger: Client) -> Rest:
    return await _rest(http, stranger)


async def _rest(http: httpx.AsyncClient, client: Client) -> Rest:
    key = await client.platform.tenants.create_key(
        client.tenant, name="test", scopes=[options_pb2.SCOPE_CHAT, options_pb2.SCOPE_KNOWLEDGE]
    )
    return Rest(http, client, {"authorization": f"Bearer {key}"})


async def test_a_file_is_sent_imported_and_followed_to_its_report(rest: Rest, other: Rest) -> None:
    sent = await rest.upload(TEXT, **{"content-type": "application/pdf", "x-request-id": "r1"})
    assert sent.status_code == 200, sent.text
    file = sent.json()["data"]
    assert (sent.json()["tenant"], sent.json()["message_id"]) == (rest.client.tenant, "r1")
    assert (file["name"], int(file["size"])) == ("guide.md", len(TEXT))
    assert file["id"] == hashlib.sha256(b"guide.md\0" + TEXT).hexdigest()

    def envelope(tenant: Rest) -> dict[str, Any]:
        data = {
            "source": "site",
            "origin": {"files": {"ids": [file["id"]]}},
            "defaults": {"language": "fr", "audience": "internal"},
        }
        return {"tenant": tenant.client.tenant, "channel": "admin", "message_id": "m1", "data": data}

    refused = await rest.http.post("/v1/rag/imports", json=envelope(other), headers=other.headers)
    assert refused.status_code == 400  # another tenant's upload is none
    begun = await rest.http.post("/v1/rag/imports", json=envelope(rest), headers=rest.headers)
    assert begun.status_code == 200, begun.text
    job = begun.json()["data"]["job"]
    assert (job["state"], job["origin"]) == ("running", {"files": {"ids": [file["id"]]}})

    async with rest.http.stream("GET", f"/v1/rag/imports/{job['id']}:watch", headers=rest.headers) as events:
        lines = [line[5:] async for line in events.aiter_lines() if line.startswith("data:")]
    steps = [json.loads(line)["data"]["job"] for line in lines]
    assert (steps[-1]["state"], steps[-1]["taken"], steps[-1]["progress"]) == ("done", 1, 1.0)
    report = await rest.http.get(f"/v1/rag/imports/{job['id']}/items", headers=rest.headers)
    assert [item["outcome"] for item in report.json()["data"]["items"]] == ["taken"]
    assert (await rest.http.get(f"/v1/rag/imports/{job['id']}/items", headers=other.headers)).status_code == 404


async def _pieces(size: int, pause: float = 0) -> AsyncIterator[bytes]:
    for _ in range(size // 500_000):
        yield b"x" * 500_000
        await asyncio.sleep(pause)


async def test_a_file_of_any_size_below_the_limit_goes_through_and_a_larger_one_is_refused(rest: Rest) -> None:
    assert (await rest.upload(_pieces(20_000_000))).status_code == 200
    assert await rest.uploads() == 20_000_000
    for content in (b"x" * 100_000_000, _pieces(100_000_000)):  # announced, and found out on the way
        try:
            refused = await rest.upload(content)
        except httpx.TransportError:  # the gateway closes on who does not stop sending
            continue
        assert refused.status_code == 413
        assert refused.json()["error"]["details"][0]["reason"] == "too_large"
    assert await rest.uploads() == 20_000_000


async def test_an_upload_that_breaks_off_leaves_nothing(rest: Rest) -> None:
    sending = asyncio.create_task(rest.upload(_pieces(20_000_000, 0.02)))
    await asyncio.sleep(0.3)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await asyncio.sleep(0.3)
    assert await rest.uploads() == 0


@pytest.mark.parametrize(
    ("status", "parameters", "headers"),
    [
        (400, {}, {}),
        (400, {"name": "x" * 301}, {}),
        (400, {"name": "a.md", "size": "3"}, {}),
        (401, {"name": "a.md"}, {"authorization": "Bearer sk_a_b"}),
        (403, {"name": "a.md", "tenant": "demo"}, {}),
        (415, {"name": "a.md"}, {"content-type": "multipart/form-data; boundary=x"}),
        (415, {"name": "a.md"}, {"content-encoding": "gzip"}),
    ],
)
async def test_what_is_wrong_is_told_as_everywhere(
    rest: Rest, status: int, parameters: dict[str, str], headers: dict[str, str]
) -> None:
    response = await rest.http.post(
        "/v1/rag/files",
        params={"tenant": rest.client.tenant, **parameters},
        content=TEXT,
        headers={**rest.headers, **headers},
    )
    assert response.status_code == status, response.text
    assert response.json()["error"]["message"]
    assert await rest.uploads() == 0


async def test_the_upload_is_documented_and_measured(rest: Rest) -> None:
    await rest.upload(TEXT)
    operation = (await rest.http.get("/openapi.json")).json()["paths"]["/v1/rag/files"]["post"]
    assert operation["operationId"] == "UploadFile"
    assert list(operation["requestBody"]["content"]) == ["application/octet-stream"]
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"name", "tenant"}
    assert 'route="/v1/rag/files",status="200"' in (await rest.http.get("/metrics")).text
    assert (await rest.http.get("/v1/rag/files", headers=rest.headers)).status_code == 405
