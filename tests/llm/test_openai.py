"""The adapter to OpenAI-compatible servers: what goes over the wire, and what it makes of what comes back."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, UpstreamError
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Conversation, Exchange, Finished, Model, Passage, Piece, Prompt, Traits
from servers.llm.instructions import conversation_of
from tests.awaiting import read
from tests.llm.model_server import DONE, ModelServer, chunk, usage

FR = envelope_pb2.LANGUAGE_FR
PROMPT = conversation_of(
    Prompt(
        "Où est ma facture ?",
        FR,
        passages=[Passage("Dans l'espace client.", 0.5, FR), Passage("En agence.", 0.25, FR)],
        history=[Exchange("Bonjour", "Bonjour !")],
    ),
    "auto",
)
TINY = Model("tiny")
WHOLE = ("Dans ", "l'espace ", "client.", chunk(finish="stop"))


async def written(backend: OpenAICompatible, conversation: Conversation = PROMPT) -> tuple[str, Finished]:
    *deltas, finished = await read(backend.write(conversation, TINY))
    assert isinstance(finished, Finished)
    return "".join(delta.text for delta in deltas), finished


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
    text, finished = await written(backend)
    assert text == "Dans l'espace client."
    assert finished == Finished(chat_pb2.FINISH_REASON_STOP, chat_pb2.TokenUsage(prompt_tokens=9, completion_tokens=17))


async def test_what_is_there_already_comes_as_one_piece(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (b"".join(map(chunk, "abcdefgh")), 0.05, chunk("i"), chunk(finish="length"), DONE)
    *deltas, finished = await read(backend.write(PROMPT, TINY))
    assert [delta.text for delta in deltas] == ["abcdefgh", "i"]
    assert isinstance(finished, Finished)
    assert finished.reason == chat_pb2.FINISH_REASON_LENGTH


async def test_a_connection_is_used_again(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (*WHOLE, DONE)
    for _ in range(5):
        await written(backend)
    assert len(models.clients) == 1


async def test_what_is_asked_for(backend: OpenAICompatible, models: ModelServer) -> None:
    models.steps = (*WHOLE, DONE)
    await written(backend)
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


async def test_what_a_backend_is_set_to(models: ModelServer) -> None:
    own = [Model("large", served_as="vendor/large")]
    backend = OpenAICompatible(
        Traits("x"), models.url + "/", "secret", own, limit_field="max_completion_tokens", logprobs=True
    )
    models.steps = (*WHOLE, DONE)
    assert await backend.models() == own
    await read(backend.write(PROMPT, own[0]))
    await read(backend.write(Conversation(PROMPT.data), own[0]))
    assert models.headers[0]["authorization"] == "Bearer secret"
    assert models.listed == 0
    prompted, bare = models.requests
    assert (prompted["model"], prompted["max_completion_tokens"], prompted["logprobs"]) == ("vendor/large", 500, True)
    assert "max_tokens" not in prompted
    assert "logprobs" not in bare
    await backend.close()


async def test_a_conversation_goes_over_as_the_api_has_it(backend: OpenAICompatible, models: ModelServer) -> None:
    data = chat_pb2.ChatInput(
        model="auto", temperature=0, top_p=0.5, seed=7, stop=["END"], parallel_tool_calls=False, user="a person"
    )
    data.messages.add(role=chat_pb2.CHAT_ROLE_DEVELOPER).content.add(text="Soyez bref.")
    asked = data.messages.add(role=chat_pb2.CHAT_ROLE_USER, name="amal")
    asked.content.add(text="Où est-ce ?")
    asked.content.add(image_url="https://example.com/a.png")
    called = data.messages.add(role=chat_pb2.CHAT_ROLE_ASSISTANT)
    called.tool_calls.add(id="c1", name="find", arguments='{"city": "فاس"}')
    data.messages.add(role=chat_pb2.CHAT_ROLE_TOOL, tool_call_id="c1").content.add(text="Fès")
    schema = '{"type": "object"}'
    data.tools.add(name="find", description="Finds.", parameters=schema, strict=True)
    data.tools.add(name="stop")
    data.tool_mode, data.tool_name = chat_pb2.TOOL_MODE_FUNCTION, "find"
    data.response_format.type, data.response_format.name = "json_schema", "place"
    data.response_format.schema = schema
    models.steps = (*WHOLE, DONE)
    await written(backend, Conversation(data))
    [body] = models.requests
    assert body.pop("messages") == [
        {"role": "system", "content": "Soyez bref."},
        {
            "role": "user",
            "name": "amal",
            "content": [
                {"type": "text", "text": "Où est-ce ?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"city": "فاس"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "Fès"},
    ]
    find = {"name": "find", "description": "Finds.", "parameters": {"type": "object"}, "strict": True}
    assert body == {
        "model": "tiny",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "top_p": 0.5,
        "seed": 7,
        "stop": ["END"],
        "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": find}, {"type": "function", "function": {"name": "stop"}}],
        "tool_choice": {"type": "function", "function": {"name": "find"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": {"type": "object"}}},
    }


@pytest.mark.parametrize("end", [(DONE,), ()])
async def test_tokens_are_counted_where_the_server_does_not(
    backend: OpenAICompatible, models: ModelServer, end: tuple[bytes, ...]
) -> None:
    models.steps = (*WHOLE, *end)
    _, finished = await written(backend)
    assert finished.usage.completion_tokens == 8
    assert finished.usage.prompt_tokens > 100


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
async def test_an_error_status(backend: OpenAICompatible, models: ModelServer, status: int) -> None:
    models.status, models.status_headers = status, {"retry-after": "7"}
    with pytest.raises(UpstreamError, match=str(status)) as caught:
        await written(backend)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2015 07:28:00 GMT", "nan", "-1", ""])
async def test_a_time_to_come_back_that_is_none(backend: OpenAICompatible, models: ModelServer, after: str) -> None:
    models.status, models.status_headers = 429, {"retry-after": after}
    with pytest.raises(UpstreamError) as caught:
        await written(backend)
    assert caught.value.retry_after is None


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_refused(backend: OpenAICompatible, models: ModelServer, status: int) -> None:
    models.status = status
    with pytest.raises(InvalidInput, match=str(status)):
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
        chunk(finish="abort"),
        b'data: {"choices":[],"usage":{"prompt_tokens":-1}}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":5}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"id":5}]}}]}\n\n',
        b"x" * 5_000_000,
        b"data: \xff\xfe\n\n",
        b"<html>502 Bad Gateway</html>",
    ],
)
async def test_garbage(backend: OpenAICompatible, models: ModelServer, garbage: bytes) -> None:
    models.steps = (garbage, DONE)
    with pytest.raises(UpstreamError):
        await written(backend)


@pytest.mark.parametrize("steps", [(DONE,), ()])
async def test_a_reply_that_never_began(
    backend: OpenAICompatible, models: ModelServer, steps: tuple[bytes, ...]
) -> None:
    models.steps = steps
    with pytest.raises(UpstreamError):
        await written(backend)


@pytest.mark.parametrize("broken", [(ConnectionError,), ()])
async def test_a_connection_that_breaks_in_the_middle(
    backend: OpenAICompatible, models: ModelServer, broken: tuple[type[Exception], ...]
) -> None:
    """Also one that just ends: half a reply must not pass for a whole one."""
    models.steps = ("Dans ", 0.01, *broken)
    heard: list[Piece] = []
    with pytest.raises(UpstreamError):
        await read(backend.write(PROMPT, TINY), heard)
    assert heard == [chat_pb2.ChatDelta(text="Dans ")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/v1", "http://[broken/v1", "ftp://x/v1"])
async def test_no_server_there(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    backend = OpenAICompatible(Traits("x"), url.format(port=port))
    with pytest.raises(UpstreamError):
        await written(backend)
    with pytest.raises(UpstreamError):
        await backend.models()
    await backend.close()


async def test_models_are_listed_and_the_first_is_the_routers_choice(backend: OpenAICompatible) -> None:
    assert await backend.models() == [Model("llama3-8b"), Model("tiny", auto=False)]


@pytest.mark.parametrize("answer", [{}, [], {"data": [{}]}, {"data": 5}, "x", {"data": [{"id": 5}]}])
async def test_a_list_of_models_that_is_none(backend: OpenAICompatible, models: ModelServer, answer: object) -> None:
    models.models = answer
    with pytest.raises(UpstreamError):
        await backend.models()


async def test_vectors(backend: OpenAICompatible, models: ModelServer) -> None:
    rows = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}]
    models.vectors = {"data": rows, "usage": {"prompt_tokens": 11}}
    vectors, used = await backend.embed(["un", "deux"], TINY, 2)
    assert vectors == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))
    assert used.prompt_tokens == 11
    assert models.requests == [{"model": "tiny", "input": ["un", "deux"], "encoding_format": "float", "dimensions": 2}]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]},
        {"data": [{"index": 0, "embedding": [None]}]},
    ],
)
async def test_vectors_that_are_none(backend: OpenAICompatible, models: ModelServer, answer: object) -> None:
    models.vectors = answer
    with pytest.raises(UpstreamError):
        await backend.embed(["un"], TINY, None)
