"""What is made of the events of a streamed completion, without a server."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import UpstreamError
from servers.llm.adapters.openai_stream import CompletionReader
from tests.llm.model_server import DONE, chunk, usage


def called(index: int | None, id_: str | None = None, name: str | None = None, arguments: Any = "") -> bytes:
    """An event with a fragment of a tool call."""
    call = {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
    return chunk(tool_calls=[{key: value for key, value in call.items() if value is not None}])


@pytest.mark.parametrize(
    "events",
    [
        (called(0, "a", "find"), called(0, None, None, '{"x"'), called(1, "b", "stop"), called(0, None, None, ": 1}")),
        (called(0, "a", "find", '{"x": 1}'), called(0, "b", "stop")),  # as some servers have it: one index for all
        (called(None, "a", "find", {"x": 1}), called(None, "b", "stop")),  # and none at all, and an object
        (called(3, "a", "find", '{"x": 1}'), called(7, "b", "stop"), called(7, "b")),
    ],
)
def test_parallel_tool_calls(events: tuple[bytes, ...]) -> None:
    reader = CompletionReader()
    deltas = [delta for event in (*events, chunk(finish="tool_calls"), DONE) if (delta := reader.read(event))]
    assert reader.reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    calls: dict[int, list[str]] = {}
    for fragment in (call for delta in deltas for call in delta.tool_calls):
        whole = calls.setdefault(fragment.index, ["", "", ""])
        whole[0], whole[1] = whole[0] or fragment.id, whole[1] or fragment.name
        whole[2] += fragment.arguments
    assert [(id_, name) for id_, name, _ in calls.values()] == [("a", "find"), ("b", "stop")]
    assert list(calls) == [0, 1]
    assert orjson.loads(calls[0][2]) == {"x": 1}


def test_log_probabilities_are_averaged() -> None:
    tokens = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]}
    event = orjson.dumps({"choices": [{"delta": {"content": "ab"}, "logprobs": tokens, "finish_reason": "stop"}]})
    reader = CompletionReader()
    reader.read(b"data: " + event + b"\n\n")
    assert reader.logprob == -1.0


EVENTS = [*map(chunk, ["مرحبا ", "bonjour ", "🙂"]), b": keep-alive\n\n", chunk(finish="stop"), usage(5), DONE]


@given(st.lists(st.integers(0, len(b"".join(EVENTS))), max_size=20), st.booleans())
def test_it_does_not_matter_where_packets_end(cuts: list[int], carriage_returns: bool) -> None:
    data = b"".join(EVENTS)
    data = data.replace(b"\n", b"\r\n") if carriage_returns else data
    reader, texts, start = CompletionReader(), "", 0
    for end in [*sorted(cuts), len(data)]:
        delta = reader.read(data[start:end])
        texts += delta.text if delta else ""
        start = end
    assert texts == reader.written == "مرحبا bonjour 🙂"
    assert reader.done
    assert reader.usage == chat_pb2.TokenUsage(prompt_tokens=9, completion_tokens=5)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(UpstreamError):
        CompletionReader().read(b"data: " + data + b"\n")
