"""Chat and Embed over the kit's channel."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from salambot.llm.v1 import chat_pb2, llm_service_pb2

from servers.kit.errors import InvalidInput, UpstreamError
from servers.kit.inference.onnx import OnnxInference
from servers.kit.platform import Platform
from servers.llm.adapters.encoder import Encoder
from servers.llm.embedding import Embeddings
from servers.llm.templates import Templates
from tests.awaiting import read
from tests.llm.model_server import DONE, ModelServer, chunk, usage

SECRET_TEXT = "mon numéro est le 0612345678"


def asked(text: str = SECRET_TEXT, **data: Any) -> llm_service_pb2.ChatRequest:
    request = llm_service_pb2.ChatRequest(data={"model": "auto", **data})
    request.data.messages.add(role=chat_pb2.CHAT_ROLE_USER).content.add(text=text)
    return request


async def test_deltas_then_the_end(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans ", 0.05, "l'espace.", chunk(finish="length"), usage(9), DONE)
    events = [reply.data async for reply in llm.Chat(asked())]
    assert [event.WhichOneof("kind") for event in events] == ["delta", "delta", "finish"]
    assert "".join(event.delta.text for event in events) == "Dans l'espace."
    assert events[-1].finish == chat_pb2.ChatFinish(
        reason=chat_pb2.FINISH_REASON_LENGTH,
        usage=chat_pb2.TokenUsage(prompt_tokens=9, completion_tokens=9),
        model="llama3-8b",
        backend="openai",
    )
    [body] = models.requests
    assert body["messages"] == [{"role": "user", "content": SECRET_TEXT}]  # nothing of the product's own is added


async def test_a_tool_call_and_no_text(llm: Any, models: ModelServer) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "find", "arguments": "{}"}}
    models.steps = (chunk(tool_calls=[call]), chunk(finish="tool_calls"), DONE)
    *deltas, end = [reply.data async for reply in llm.Chat(asked(tools=[{"name": "find"}]))]
    assert [delta.delta.tool_calls[0].name for delta in deltas] == ["find"]
    assert end.finish.reason == chat_pb2.FINISH_REASON_TOOL_CALLS


async def test_an_empty_reply_is_one(llm: Any, models: ModelServer) -> None:
    models.steps = (chunk(""), chunk(finish="stop"), usage(0), DONE)
    [event] = [reply.data async for reply in llm.Chat(asked(model="tiny"))]
    assert event.finish.model == "tiny"


async def test_the_extractive_backend_stands_in_and_says_that_it_knows_nothing(llm: Any, models: ModelServer) -> None:
    models.status = 500
    *deltas, end = [reply.data async for reply in llm.Chat(asked("What is the capital of France?"))]
    assert "".join(event.delta.text for event in deltas) == Templates.built_in()._texts["no_answer"]["en"]
    assert end.finish.model == "extractive"


async def test_an_error_in_the_middle(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans ", 0.05, ConnectionError)
    heard: list[Any] = []
    with pytest.raises(UpstreamError):
        await read(llm.Chat(asked()), heard)
    assert len(heard) == 1


async def test_leaving_stops_the_model(llm: Any, models: ModelServer) -> None:
    models.steps = ("Dans ", 600.0)
    async with aclosing(llm.Chat(asked())) as replies:
        await anext(replies)
    await asyncio.wait_for(models.gone.wait(), 5)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"tools": [{"name": "f", "parameters": "{oops"}]}, "data.tools[0].parameters"),
        ({"tools": [{"name": "f", "parameters": "[]"}]}, "data.tools[0].parameters"),
        ({"tool_mode": chat_pb2.TOOL_MODE_REQUIRED}, "data.tools"),
        ({"tool_mode": chat_pb2.TOOL_MODE_FUNCTION, "tool_name": "g", "tools": [{"name": "f"}]}, "data.tool_name"),
        ({"response_format": {"type": "json_schema", "schema": "5"}}, "data.response_format.schema"),
        ({"messages": [{"role": chat_pb2.CHAT_ROLE_TOOL}]}, "data.messages[0].tool_call_id"),
        ({"messages": [{"role": chat_pb2.CHAT_ROLE_USER, "tool_calls": [{}]}]}, "data.messages[0].tool_calls"),
        ({"model": "gpt-7"}, "data.model"),
    ],
)
async def test_what_does_not_fit_together(llm: Any, models: ModelServer, data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await read(llm.Chat(asked(**data)))
    assert [violation.field for violation in caught.value.violations] == [field]
    assert not models.requests


async def test_a_span_tells_what_a_call_took_and_nothing_that_was_said(
    llm: Any, models: ModelServer, spans: InMemorySpanExporter
) -> None:
    models.steps = ("Dans l'espace.", chunk(finish="stop"), usage(9), DONE)
    await read(llm.Chat(asked(temperature=0.5)))
    models.steps = ("Dans ", 0.05, ConnectionError)
    with pytest.raises(UpstreamError):
        await read(llm.Chat(asked()))
    good, bad = [span for span in spans.get_finished_spans() if span.name == "chat auto"]
    assert good.attributes is not None
    attributes = dict(good.attributes)
    assert attributes.pop("gen_ai.conversation.id")
    assert 0 < float(str(attributes.pop("gen_ai.response.time_to_first_chunk"))) < 5
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "auto",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "llama3-8b",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cost": 0.0,
    }
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "upstream_error"
    assert "0612345678" not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_vectors_of_a_servers_model(llm: Any, models: ModelServer) -> None:
    models.vectors = {"data": [{"index": 0, "embedding": [3, 4]}], "usage": {"prompt_tokens": 2}}
    request = llm_service_pb2.EmbedRequest(data={"model": "tiny", "texts": ["un"]})
    output = (await llm.Embed(request)).data
    assert [list(vector.values) for vector in output.embeddings] == [pytest.approx([0.6, 0.8])]
    assert (output.model, output.usage.prompt_tokens) == ("tiny", 2)
    with pytest.raises(InvalidInput):
        await llm.Embed(llm_service_pb2.EmbedRequest(data={"model": "gpt-7", "texts": ["un"]}))


async def test_vectors_of_the_products_own_encoder(base_platform: Platform) -> None:
    inference = await OnnxInference.open(base_platform.settings.models)
    embeddings = Embeddings([Encoder(lambda: inference)])
    texts = ["Où est ma commande ?", "fin kayna la commande dyali?", "Quel temps fait-il ?"] * 20
    vectors, used = await embeddings.embed(texts, "salambot-encoder", None)
    assert vectors.shape == (60, 256)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(60), abs=1e-3)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert np.allclose(vectors[:3], vectors[57:], atol=1e-5)
    assert used.prompt_tokens > 60
    for dimensions, fine in ((256, True), (100, False)):
        if fine:
            await embeddings.embed(texts[:1], "salambot-encoder", dimensions)
        else:
            with pytest.raises(InvalidInput, match="dimensions"):
                await embeddings.embed(texts[:1], "salambot-encoder", dimensions)
    await inference.close()
