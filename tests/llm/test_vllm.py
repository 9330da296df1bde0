"""The adapter, the router and the service's own promises before a real vLLM, of a tiny model with random weights.

Run by `make test-llm`, which installs vLLM and names its environment in SALAMBOT_TEST_VLLM.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Conversation, Finished, Model, Traits
from servers.llm.instructions import conversation_of
from servers.llm.router import Router
from tests.awaiting import read, until
from tests.llm.test_openai import PROMPT
from tests.llm.upstreams import said

VENV = os.environ.get("SALAMBOT_TEST_VLLM")
START_S = 300
WINDOW = 512

pytestmark = [
    pytest.mark.skipif(VENV is None, reason="make test-llm runs it"),
    pytest.mark.timeout(START_S + 60),
    pytest.mark.xdist_group("vllm"),
]


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a vLLM."""
    folder = tmp_path_factory.mktemp("vllm")
    python = str(Path(VENV or "", "bin", "python").absolute())
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    maker = await asyncio.create_subprocess_exec(
        python, str(Path(__file__).with_name("tiny_model.py")), str(folder / "tiny"), env=environment
    )
    assert await maker.wait() == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [
        *("-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)),
        *("--model", str(folder / "tiny"), "--served-model-name", "tiny"),
        *("--dtype", "bfloat16", "--enforce-eager", "--max-model-len", str(WINDOW), "--max-num-seqs", "16"),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ]
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(python, *arguments, env=environment, stdout=log, stderr=log)
    root = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(START_S):
            while True:
                assert server.returncode is None, (folder / "log").read_text()[-5000:]
                try:
                    if (await client.get(f"{root}/health")).is_success:
                        break
                except httpx.HTTPError:
                    await asyncio.sleep(0.5)
        yield f"{root}/v1"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


@pytest.fixture
async def backend(url: str) -> AsyncIterator[OpenAICompatible]:
    backend = OpenAICompatible(Traits("vllm", first_token_s=60, silence_s=60), url, logprobs=True)
    yield backend
    await backend.close()


async def write(backend: OpenAICompatible, conversation: Conversation) -> tuple[list[chat_pb2.ChatDelta], Finished]:
    router = Router([backend])
    *deltas, finished = await read(router.write(conversation, await router.choose(conversation)))
    assert isinstance(finished, Finished)
    return [delta for delta in deltas if isinstance(delta, chat_pb2.ChatDelta)], finished


def short(text: str = "Bonjour", most: int = 20) -> Conversation:
    conversation = said(text)
    conversation.data.max_tokens = most
    conversation.data.temperature = 1
    return conversation


async def test_a_reply_is_streamed_and_counted_by_the_server(backend: OpenAICompatible) -> None:
    conversation = short()
    conversation.data.seed = 7
    deltas, finished = await write(backend, conversation)
    assert len(deltas) > 1
    assert (finished.model, finished.backend) == ("tiny", "vllm")
    assert 0 < finished.usage.completion_tokens <= 20
    assert finished.usage.prompt_tokens > 3
    if finished.usage.completion_tokens == 20:
        assert finished.reason == chat_pb2.FINISH_REASON_LENGTH
    again, _ = await write(backend, conversation)
    assert "".join(delta.text for delta in again) == "".join(delta.text for delta in deltas)


async def test_models_and_log_probabilities(backend: OpenAICompatible) -> None:
    assert await backend.models() == [Model("tiny")]
    assert PROMPT.prompt is not None
    prompt = conversation_of(PROMPT.prompt, "auto")
    prompt.data.messages[0].content[0].text = "Court."  # the rules alone would fill the tiny window, letter by letter
    prompt.data.max_tokens = 10
    _, finished = await write(backend, prompt)
    assert finished.logprob is not None
    assert finished.logprob < 0
    assert finished.used == (0, 1)


async def test_a_tool_is_called(backend: OpenAICompatible) -> None:
    conversation = short(most=300)
    schema = {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]}
    conversation.data.tools.add(name="set_open", parameters=json.dumps(schema))
    conversation.data.tool_mode, conversation.data.tool_name = chat_pb2.TOOL_MODE_FUNCTION, "set_open"
    deltas, _ = await write(backend, conversation)
    calls = [call for delta in deltas for call in delta.tool_calls]
    assert {call.index for call in calls} == {0}
    assert [call.name for call in calls if call.name] == ["set_open"]
    assert calls[0].id
    assert "".join(call.arguments for call in calls)  # which a model of random weights makes nothing sensible of


async def test_a_reply_follows_a_schema(backend: OpenAICompatible) -> None:
    conversation = short(most=300)
    schema = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
    wanted = conversation.data.response_format
    wanted.type, wanted.name, wanted.schema = "json_schema", "mood", json.dumps(schema)
    deltas, _ = await write(backend, conversation)
    assert json.loads("".join(delta.text for delta in deltas))["mood"] in {"good", "bad"}


async def test_a_conversation_longer_than_the_window_is_refused(backend: OpenAICompatible) -> None:
    with pytest.raises(InvalidInput):
        await write(backend, short("mot " * WINDOW))


async def test_many_at_once(backend: OpenAICompatible) -> None:
    replies = await asyncio.gather(*(write(backend, short(f"Client {number}")) for number in range(16)))
    assert all(finished.usage.completion_tokens > 0 for _, finished in replies)


async def test_a_caller_that_leaves_stops_the_work(backend: OpenAICompatible, url: str) -> None:
    conversation = short(most=450)
    conversation.data.temperature = 0  # the same again, and to the end of the window
    _, whole = await write(backend, conversation)
    assert whole.usage.completion_tokens == 450
    async with httpx.AsyncClient() as client:

        async def metric(name: str) -> float:
            metrics = (await client.get(url.removesuffix("/v1") + "/metrics")).text
            found = re.search(rf"^vllm:{name}\{{.*\}} (\S+)$", metrics, re.M)
            assert found is not None
            return float(found[1])

        async def idle() -> bool:
            return await metric("num_requests_running") == 0

        before = await metric("generation_tokens_total")
        async with aclosing(backend.write(conversation, Model("tiny"))) as pieces:
            await anext(pieces)
        await until(idle)
        assert await metric("generation_tokens_total") - before < 300
