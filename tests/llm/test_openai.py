"""The adapter to OpenAI-compatible servers, over HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import aclosing

import pytest
from salambot.common.v1 import envelope_pb2

from servers.kit.call import Call, serving
from servers.kit.errors import Timeout, UpstreamError
from servers.kit.method import find
from servers.llm.adapters import openai
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Exchange, Finished, Passage, Prompt
from tests.awaiting import read, until
from tests.llm.model_server import DONE, ModelServer, chunk, usage

FR = envelope_pb2.LANGUAGE_FR
PROMPT = Prompt(
    "Où est ma facture ?",
    FR,
    passages=[Passage("Dans l'espace client.", 0.5, FR), Passage("En agence.", 0.25, FR)],
    history=[Exchange("Bonjour", "Bonjour !")],
)
WHOLE = ("Dans ", "l'espace ", "client.", chunk(finish="stop"))


async def written(backend: OpenAICompatible, model: str | None = None) -> list[str | Finished]:
    return [piece async for piece in backend.write(PROMPT, model)]


async def test_a_reply_is_streamed(backend: OpenAICompatible, models: ModelServer) -> None:
    role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n'
    models.steps = (
        role,
        b": keep-alive\n\n",
        "Dans ",
        0.01,
        "l'espace ",
        "client.",
        chunk(finish="stop"),
        usage(17),
        DONE,
    )
    *texts, finished = await written(backend)
    assert texts == ["Dans ", "l'espace ", "client."]
    assert finished == Finished("llama3-8b", 17, pytest.approx(0.4), (0, 1))


async def test_pieces_come_as_they_are_written(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = ("Dans ", 600.0)
    async with aclosing(backend.write(PROMPT, None)) as pieces:
        async with asyncio.timeout(5):
            assert await anext(pieces) == "Dans "


async def test_what_is_asked_for(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (*WHOLE, DONE)
    await written(backend, "tiny")
    (body,) = models.requests
    assert (body["model"], body["stream"], body["stream_options"]) == ("tiny", True, {"include_usage": True})
    rules, *turns = body["messages"]
    assert rules["role"] == "system"
    assert "French" in rules["content"]
    assert '<passage n="1">\nDans l\'espace client.\n</passage>' in rules["content"]
    assert turns == [
        {"role": "user", "content": "Bonjour"},
        {"role": "assistant", "content": "Bonjour !"},
        {"role": "user", "content": "Où est ma facture ?"},
    ]
    assert "authorization" not in models.headers[0]


async def test_the_key_and_the_chosen_model(models: ModelServer) -> None:
    backend = OpenAICompatible(models.url + "/", "secret", "tiny")
    models.steps = (*WHOLE, DONE)
    assert (await written(backend))[-1].model == "tiny"
    assert models.headers[0]["authorization"] == "Bearer secret"
    assert models.listed == 0
    await backend.close()


@pytest.mark.parametrize("end", [(DONE,), ()])
async def test_tokens_are_counted_where_the_server_does_not(
    backend: OpenAICompatible, models: ModelServer, end: tuple[bytes, ...]
) -> None:
    models.steps = (*WHOLE, *end)
    finished = (await written(backend))[-1]
    assert isinstance(finished, Finished)
    assert finished.tokens == 8


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_status(backend: OpenAICompatible, models: ModelServer, status: int) -> None:
    models.status = status
    with pytest.raises(UpstreamError, match=str(status)):
        await written(backend)


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json\n\n",
        b"data: 5\n\n",
        b"data: []\n\n",
        b'data: "error"\n\n',
        b'data: {"choices":[5]}\n\n',
        b'data: {"choices":5}\n\n',
        b'data: {"choices":[{"delta":"x"}]}\n\n',
        b'data: {"choices":[{"delta":{"content":[1]}}]}\n\n',
        b'data: {"choices":[],"usage":5}\n\n',
        b'data: {"error":{"message":"out of memory"}}\n\n',
        b"data: \xff\xfe\n\n",
        b"<html>502 Bad Gateway</html>",
    ],
)
async def test_garbage(backend: OpenAICompatible, models: ModelServer, garbage: bytes) -> None:
    models.steps = (garbage, DONE)
    with pytest.raises(UpstreamError):
        await written(backend)


@pytest.mark.parametrize("steps", [(DONE,), (), (chunk(finish="stop"), DONE), (chunk(""), DONE)])
async def test_a_reply_without_a_text(backend: OpenAICompatible, models: ModelServer, steps: tuple[bytes, ...]) -> None:
    models.steps = steps
    with pytest.raises(UpstreamError):
        await written(backend)


@pytest.mark.parametrize("broken", [(ConnectionError,), ()])
async def test_a_connection_that_breaks_in_the_middle(
    backend: OpenAICompatible, models: ModelServer, broken: tuple[type[Exception], ...]
) -> None:
    """Also one that just ends: half a reply must not pass for a whole one."""
    models.steps = ("Dans ", 0.01, *broken)
    heard: list[str | Finished] = []
    with pytest.raises(UpstreamError):
        await read(backend.write(PROMPT, None), heard)
    assert heard == ["Dans "]


@pytest.mark.parametrize("first", [(), ("Dans ",)])
async def test_a_server_that_stalls(
    backend: OpenAICompatible, models: ModelServer, first: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "_SILENCE_S", 0.1)
    models.steps = (*first, 600.0)
    with pytest.raises(Timeout):
        await written(backend, "tiny")
    await asyncio.wait_for(models.gone.wait(), 5)


async def test_a_server_that_stalls_leaves_half_of_the_time(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (600.0,)
    call = Call(find("/salambot.llm.v1.LLMService/Generate"), {}, time.monotonic() + 0.4)
    with serving(call), pytest.raises(Timeout):
        await written(backend, "tiny")
    assert 0 < call.remaining() < 0.25


async def test_leaving_is_seen_by_the_server(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = ("Dans ", 600.0)
    async with aclosing(backend.write(PROMPT, None)) as pieces:
        await anext(pieces)
    await asyncio.wait_for(models.gone.wait(), 5)


async def test_cancelling_is_seen_by_the_server(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (600.0,)
    task = asyncio.create_task(written(backend))
    await until(lambda: bool(models.requests))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(models.gone.wait(), 5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/v1", "nonsense", "http://[broken/v1", "ftp://x/v1"])
async def test_no_server_there(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    try:
        backend = OpenAICompatible(url.format(port=port), None, "tiny")
    except Exception:
        pytest.skip("told at start")
    with pytest.raises(UpstreamError):
        await written(backend)
    with pytest.raises(UpstreamError):
        await backend.models()
    await backend.close()


async def test_models_are_listed_and_kept_for_a_while(backend: OpenAICompatible, models: ModelServer) -> None:
    assert await backend.models() == ["llama3-8b", "tiny"]
    models.models = {"data": []}
    assert await backend.models() == ["llama3-8b", "tiny"]
    assert models.listed == 1


@pytest.mark.parametrize("answer", [{}, [], {"data": [{}]}, {"data": 5}, "x"])
async def test_a_list_of_models_that_is_none(backend: OpenAICompatible, models: ModelServer, answer: object) -> None:
    models.models = answer
    with pytest.raises(UpstreamError):
        await backend.models()


async def test_a_server_without_models(backend: OpenAICompatible, models: ModelServer) -> None:
    models.models = {"data": []}
    with pytest.raises(UpstreamError, match="serves no model"):
        await written(backend)
