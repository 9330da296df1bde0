"""What every backend does, whatever stands behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from salambot.llm.v1 import chat_pb2

from servers.kit.embedded.progress import silent
from servers.kit.embedded.triton import open_triton
from servers.kit.errors import UpstreamError
from servers.kit.settings import read_settings
from servers.llm.adapters.extractive import Extractive
from servers.llm.backend import Backend, Conversation, Finished, Model, Traits
from servers.llm.templates import Templates
from tests.awaiting import read, until
from tests.llm.model_server import ModelServer
from tests.llm.upstreams import TRITON, OpenAIUpstream, TritonUpstream, Upstream, assemble, said, triton_upstream

SEEN_S = 0.1
"""So soon a server has to see that nobody listens any more."""


@pytest.fixture(scope="module")
async def triton_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    settings = read_settings()
    venv = settings.triton_venv or settings.home.absolute() / "triton" / "venv"
    repository = tmp_path_factory.mktemp("models")
    assemble(repository)
    async with open_triton(tmp_path_factory.mktemp("triton"), repository, silent, venv=venv) as url:
        yield url


@pytest.fixture(params=["openai", "vllm", "ensemble"])
async def upstream(
    request: pytest.FixtureRequest, models: ModelServer, triton_url: str, tmp_path: Path
) -> AsyncIterator[Upstream]:
    if request.param == "openai":
        opened = OpenAIUpstream(models)
        yield opened
        await opened.backend.close()
    else:
        async with triton_upstream(request.param, triton_url, tmp_path) as triton:
            yield triton


async def reply(backend: Backend, conversation: Conversation) -> tuple[list[str], Finished]:
    """The pieces of a reply, and its end."""
    model = (await backend.models())[0]
    *deltas, finished = [piece async for piece in backend.write(conversation, model)]
    assert isinstance(finished, Finished)
    assert all(isinstance(delta, chat_pb2.ChatDelta) for delta in deltas)
    return [delta.text for delta in deltas], finished


async def test_a_reply_comes_as_it_is_written_and_then_its_end(upstream: Upstream) -> None:
    pieces, finished = await reply(upstream.backend, upstream.script(["Dans ", 0.05, "l'espace ", 0.05, "عميل."]))
    assert pieces == ["Dans ", "l'espace ", "عميل."]
    assert finished.reason == chat_pb2.FINISH_REASON_STOP
    assert finished.usage.prompt_tokens > 0
    assert finished.usage.completion_tokens > 0


async def test_what_is_there_is_not_held_back(upstream: Upstream) -> None:
    conversation = upstream.script(["Dans ", 600.0])
    [model, *_] = await upstream.backend.models()
    async with aclosing(upstream.backend.write(conversation, model)) as pieces, asyncio.timeout(5):
        first = await anext(pieces)
        assert isinstance(first, chat_pb2.ChatDelta)
        assert first.text == "Dans "


@pytest.mark.parametrize("steps", [[600.0], ["Dans ", 600.0]], ids=["before", "after"])
async def test_a_caller_that_is_cancelled_is_seen_to_leave(upstream: Upstream, steps: list[str | float]) -> None:
    """Before the first piece, and after it."""
    heard: list[object] = []
    [model, *_] = await upstream.backend.models()
    conversation = upstream.script(steps)
    task = asyncio.create_task(read(upstream.backend.write(conversation, model), heard))
    await upstream.arrived()
    await until(lambda: len(heard) == len(steps) - 1)
    left = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await upstream.left()
    assert time.monotonic() - left < SEEN_S


async def test_a_caller_that_has_enough_is_seen_to_leave(upstream: Upstream) -> None:
    [model, *_] = await upstream.backend.models()
    conversation = upstream.script(["Dans ", 600.0])
    async with aclosing(upstream.backend.write(conversation, model)) as pieces:
        await anext(pieces)
        left = time.monotonic()
    await upstream.left()
    assert time.monotonic() - left < SEEN_S


@pytest.mark.parametrize("steps", [[], ["Dans ", 0.05]], ids=["before", "after"])
async def test_a_server_that_fails(upstream: Upstream, steps: list[str | float]) -> None:
    heard: list[object] = []
    [model, *_] = await upstream.backend.models()
    with pytest.raises(UpstreamError):
        await read(upstream.backend.write(upstream.script(steps, fail=True), model), heard)
    assert len(heard) == len(steps) // 2


async def test_many_at_once_do_not_mix(upstream: Upstream) -> None:
    conversations = [upstream.script(["a ", 0.02, "b"]) for _ in range(20)]
    replies = await asyncio.gather(*(reply(upstream.backend, conversation) for conversation in conversations))
    assert {"".join(pieces) for pieces, _ in replies} == {"a b"}


async def test_the_extractive_one_too() -> None:
    async def french(text: str) -> int:
        return 1

    pieces, finished = await reply(Extractive(Templates.built_in(), french), said("Bonjour"))
    assert all(pieces)
    assert finished.reason == chat_pb2.FINISH_REASON_STOP
    assert finished.usage.completion_tokens > 0


@pytest.mark.parametrize("upstream", ["vllm", "ensemble"], indirect=True)
async def test_what_triton_is_asked(upstream: TritonUpstream) -> None:
    conversation = upstream.script(["a b ", "c"])
    data = conversation.data
    data.max_tokens, data.temperature, data.seed, data.top_p = 7, 0.5, -1, 0.25
    data.stop.append("END")
    _, finished = await reply(upstream.backend, conversation)
    asked = json.loads(upstream.inputs.read_text())
    assert asked.pop("text_input")[0].endswith("<|assistant|>\n")
    assert asked.pop("stream") == [True]
    if "sampling_parameters" in asked:
        [sampling] = asked.pop("sampling_parameters")
        stops = ["END", "<|user|>", "<|system|>", "<|assistant|>", "<|tool|>"]
        expected = {"max_tokens": 7, "temperature": 0.5, "seed": -1, "top_p": 0.25, "stop": stops}
        assert json.loads(sampling) == expected
        assert all(asked.values())
        assert (finished.usage.completion_tokens, finished.logprob) == (3, -0.5)
    else:
        assert asked == {
            "max_tokens": [7],
            "temperature": [0.5],
            "top_p": [0.25],
            "random_seed": [2**63 - 1],
            "stop_words": ["END", "<|user|>", "<|system|>", "<|assistant|>", "<|tool|>"],
        }


@pytest.mark.parametrize("upstream", ["vllm"], indirect=True)
async def test_a_reply_cut_short(upstream: TritonUpstream) -> None:
    _, finished = await reply(upstream.backend, upstream.script(["a"], reason="length"))
    assert finished.reason == chat_pb2.FINISH_REASON_LENGTH


@pytest.mark.parametrize("kind", TRITON)
async def test_a_triton_that_is_not_there(kind: str) -> None:
    backend = TRITON[kind](Traits("triton"), "127.0.0.1:1", [Model("small", served_as=kind)])
    with pytest.raises(UpstreamError):
        await backend.models()
    with pytest.raises(UpstreamError):
        await read(backend.write(said("?"), Model("small")))
    await backend.close()


async def test_a_model_that_triton_does_not_serve(triton_url: str) -> None:
    backend = TRITON["vllm"](Traits("triton"), triton_url, [Model("other")])
    with pytest.raises(UpstreamError):
        await backend.models()
    with pytest.raises(UpstreamError):
        await read(backend.write(said("?"), Model("other")))
    await backend.close()
