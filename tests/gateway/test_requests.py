"""JSON in, one RPC, JSON out, over real sockets."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from salambot.llm.v1 import llm_service_pb2
from salambot.orchestrator.v1 import orchestrator_service_pb2
from salambot.rag.v1 import rag_service_pb2

from gateway.app import create_app
from gateway.server import serving
from servers.kit import errors
from servers.kit.chain import Chain
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.errors import SalamError, Violation
from servers.kit.inprocess import LocalHandlers
from tests.gateway.conftest import LIMIT, Behind
from tests.gateway.peer import Peer

TEXT = "salam 3afak fin n9der nshouf la facture ?"


async def test_a_message_goes_through_and_comes_back(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    reply = orchestrator_service_pb2.SendMessageResponse()
    reply.data.reply_text = "T9der tchoufha f l'espace client"
    reply.data.citations.add(id="kb_12", loc="#voir-facture")
    answers.replies["SendMessage"].append(reply)

    response = await client.post("/v1/messages", json={**envelope, "data": {"user_text": TEXT}})

    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body)[-1] == "data"
    assert body["tenant"] == "demo"
    assert body["channel"] == "facebook"
    assert body["data"]["citations"] == [{"id": "kb_12", "loc": "#voir-facture", "title": "", "url": ""}]
    assert body["data"]["filtered"] is False
    assert body["data"]["entities"] == []
    assert "timings" not in body["data"]
    assert answers.requests[0].data.user_text == TEXT


async def test_credential_client_address_and_deadline_are_passed_on(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    headers = {
        "Authorization": "Bearer secret",
        "X-Forwarded-For": "8.8.8.8, 41.248.1.2, 127.0.0.3",
        "X-Timeout-Ms": "900",
    }

    await client.post("/v1/messages", json={**envelope, "data": {"user_text": TEXT}}, headers=headers)

    assert answers.metadata[0]["authorization"] == "Bearer secret"
    assert answers.metadata[0]["x-client-address"] == "41.248.1.2"
    assert 0 < answers.remaining[0] <= 0.95  # gRPC rounds up


async def test_the_rpc_s_own_limit_is_the_deadline(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    await client.post("/v1/rag/retrieve", json={**envelope, "data": {"query": "x"}}, headers={"X-Timeout-Ms": "60000"})
    assert 0 < answers.remaining[0] <= 3.1  # gRPC rounds up


async def test_path_and_query_become_part_of_the_request(client: httpx.AsyncClient, answers: Peer) -> None:
    response = await client.get(
        "/v1/conversations/conv%2F1/turns",
        params={"page_size": 5, "data.page_token": "é"},
        headers={"X-Request-Id": "r1"},
    )

    assert response.status_code == 200, response.text
    request = answers.requests[0]
    assert (request.data.conversation_id, request.data.page_size, request.data.page_token) == ("conv/1", 5, "é")
    assert (request.envelope.tenant, request.envelope.message_id) == ("", "r1")
    assert response.json()["channel"] == "admin"


async def test_a_path_variable_inside_the_body_s_message(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    document = {"title": "Voir ma facture", "language": "fr", "attributes": {"sector": "telecom"}}

    await client.put("/v1/rag/documents/kb_12", json={**envelope, "data": {"document": document}})
    refused = await client.put("/v1/rag/documents/kb_12", json={**envelope, "data": {"document": {"id": "kb_13"}}})

    assert answers.requests[0].data.document.id == "kb_12"
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "data.document.id"


async def test_an_empty_delete_needs_no_body(client: httpx.AsyncClient, answers: Peer) -> None:
    reply = rag_service_pb2.DeleteDocumentResponse()
    reply.data.deleted = True
    answers.replies["DeleteDocument"].append(reply)

    response = await client.delete("/v1/rag/documents/kb_12")

    assert response.json()["data"] == {"deleted": True}
    assert answers.requests[0].HasField("data")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"data": {"user_text": 5}}, "data.user_text", "must be a string"),
        ({"data": {"user_text": "sal\0am"}}, "data.user_text", "U+0000"),
        ({"data": {"user_text": "\0é"}}, "data.user_text", "U+0000"),
        ({"channel": "sms", "data": {}}, "channel", "facebook"),
        ({"data": {"user_txt": "a"}}, "data.user_txt", "did you mean `user_text`"),
        ({"data": {"attachments": [{"size_bytes": 1.5}]}}, "data.attachments[0].size_bytes", "whole number"),
        ({"data": {"attachments": [{"size_bytes": 2**63}]}}, "data.attachments[0].size_bytes", "between"),
        ({"timestamp": "yesterday", "data": {}}, "timestamp", "RFC 3339"),
        ({"data": []}, "data", "must be an object, not a list"),
    ],
)
async def test_bad_input_is_refused_by_its_field(
    client: httpx.AsyncClient, envelope: dict[str, object], body: dict[str, object], field: str, words: str
) -> None:
    response = await client.post("/v1/messages", json={**envelope, **body})

    told = response.json()
    assert response.status_code == 400
    assert told["error"]["code"] == "invalid_input"
    assert told["error"]["details"][0]["field"] == field
    assert words in told["error"]["details"][0]["description"]
    assert (told["tenant"], told["message_id"], told["correlation_id"]) == ("demo", "msg_1", "corr_1")
    assert "data" not in told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b'{"a":\n  oops}', "line 2, column 3"),
        (b'{"a":\n "\xe9"}', "not UTF-8: byte 0xe9 (line 2, column 3)"),
        (b"[]", "must be an object, not a list"),
        (b'{"tenant":"\\ud800"}', "surrogate"),
        (b'{"data":{"user_text":NaN}}', "must be a string, not a number"),
        (b"[" * 100_0 + b"]" * 100_0, "must be an object"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "nested too deep"),
    ],
)
async def test_a_body_that_cannot_be_read_says_where(client: httpx.AsyncClient, body: bytes, words: str) -> None:
    response = await client.post("/v1/messages", content=body, headers={"content-type": "application/json"})

    told = response.json()
    assert response.status_code == 400
    assert words in told["error"]["message"]
    assert told["correlation_id"]
    assert told["tenant"] is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput("bad", violations=[Violation("envelope.locale", "must match")]), 400, "invalid_input"),
        (errors.NotFound("no such thing"), 404, "invalid_input"),
        (errors.Conflict("there already"), 409, "invalid_input"),
        (errors.Unauthorized("who are you?"), 401, "unauthorized"),
        (errors.PermissionDenied("not yours"), 403, "permission_denied"),
        (errors.RateLimited("slow down", retry_after=1.2), 429, "rate_limited"),
        (errors.InternalError("ours"), 500, "internal_error"),
        (errors.Unimplemented("not built yet"), 501, "internal_error"),
        (errors.UpstreamError("down"), 502, "upstream_error"),
        (errors.Timeout("too late"), 504, "timeout"),
    ],
)
async def test_each_error_of_the_table(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object], error: SalamError, status: int, code: str
) -> None:
    answers.replies["SendMessage"].append(error)

    response = await client.post("/v1/messages", json={**envelope, "data": {"user_text": TEXT}})

    told = response.json()
    assert (response.status_code, told["error"]["code"], told["error"]["message"]) == (status, code, error.message)
    assert told["correlation_id"] == "corr_1"
    assert response.headers.get("retry-after") == ("2" if status == 429 else None)
    if error.detail:
        assert {"reason": error.detail} in told["error"]["details"]
    if error.violations:
        assert told["error"]["details"] == [{"field": "locale", "description": "must match"}]


async def test_a_passed_deadline(client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]) -> None:
    answers.replies["SendMessage"].append(5.0)

    response = await client.post(
        "/v1/messages", json={**envelope, "data": {"user_text": TEXT}}, headers={"X-Timeout-Ms": "100"}
    )

    assert response.status_code == 504
    assert response.json()["error"]["code"] == "timeout"


async def test_a_client_that_goes_cancels_the_call(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    answers.replies["SendMessage"].append(20.0)
    asking = asyncio.ensure_future(client.post("/v1/messages", json={**envelope, "data": {"user_text": TEXT}}))
    await asyncio.wait_for(answers.asked.wait(), 5)

    asking.cancel()

    await asyncio.wait_for(answers.cancelled.wait(), 5)


@pytest.mark.parametrize("given", ["0", "-1", "soon", "1e3"])
async def test_a_deadline_that_is_none(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/v1/llm/models", headers={"X-Timeout-Ms": given})
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "X-Timeout-Ms"


async def test_a_dead_peer_is_an_upstream_error(behind: Behind, envelope: dict[str, object]) -> None:
    nowhere = Channel(LocalHandlers(Chain([])), "127.0.0.1:1", Signer(""))
    async with (
        nowhere,
        serving(create_app(Behind(behind.settings, nowhere)), "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        response = await client.post("/v1/messages", json={**envelope, "data": {"user_text": TEXT}})
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_error"


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    nowhere = await client.get("/v2/messages")
    wrong = await client.get("/v1/messages")
    patched = await client.patch("/v1/rag/documents/kb_1")
    posted = await client.post("/healthz")

    assert (nowhere.status_code, nowhere.json()["error"]["details"]) == (404, [{"reason": "not_found"}])
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (patched.status_code, patched.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
    assert posted.json()["error"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_other_media_types_are_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/v1/messages", content=b"{}", headers=headers)
    assert response.status_code == 415
    assert response.json()["error"]["details"] == [{"reason": "unsupported_media_type"}]


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(
    client: httpx.AsyncClient, answers: Peer, envelope: dict[str, object]
) -> None:
    body = json.dumps({**envelope, "data": {"prompt": ""}}).encode()
    filled = body.replace(b'"prompt": ""', b'"prompt": "%b"' % (b"a" * (LIMIT - len(body))))
    answers.replies["Generate"].append(llm_service_pb2.GenerateResponse())

    async def in_chunks(content: bytes):  # type: ignore[no-untyped-def]
        for start in range(0, len(content), 10_000):
            yield content[start : start + 10_000]

    headers = {"content-type": "application/json; charset=UTF-8"}
    fits = await client.post("/v1/llm/generate", content=filled, headers=headers)
    announced = await client.post("/v1/llm/generate", content=filled + b" ", headers=headers)
    streamed = await client.post("/v1/llm/generate", content=in_chunks(filled + b" "), headers=headers)

    assert fits.status_code == 200
    assert announced.status_code == streamed.status_code == 413
    assert streamed.json()["error"]["details"] == [{"reason": "too_large"}]


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"page_size": "ten"}, "data.page_size", "whole number"),
        ({"page_token": "a\0"}, "data.page_token", "U+0000"),
        ({"page_sise": "1"}, "page_sise", "page_size, page_token"),
        ([("page_size", "1"), ("page_size", "2")], "data.page_size", "twice"),
    ],
)
async def test_bad_query_parameters(client: httpx.AsyncClient, query: object, field: str, words: str) -> None:
    response = await client.get("/v1/conversations", params=query)  # type: ignore[arg-type]
    detail = response.json()["error"]["details"][0]
    assert response.status_code == 400
    assert detail["field"] == field
    assert words in detail["description"]
