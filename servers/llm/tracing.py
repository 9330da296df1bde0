"""Spans of calls to models, by OpenTelemetry's conventions for generative AI. They hold no customer's text.

Source: opentelemetry.io, semantic conventions, `gen_ai` client spans.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from salambot.llm.v1 import chat_pb2

from servers.kit.call import current_or_none
from servers.kit.errors import SalamError
from servers.llm.backend import Finished, Piece


async def traced(tracer: Tracer, data: chat_pb2.ChatInput, pieces: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    """The same pieces, with a span around them; the time to the first is in seconds."""
    began = time.perf_counter()
    span = tracer.start_span(f"chat {data.model}", kind=SpanKind.CLIENT)
    recording = span.is_recording()
    if recording:
        span.set_attributes(_request(data))
    try:
        first = True
        async with aclosing(pieces):
            async for piece in pieces:
                if recording and first:
                    span.set_attribute("gen_ai.response.time_to_first_chunk", time.perf_counter() - began)
                first = False
                if recording and isinstance(piece, Finished):
                    span.set_attributes(_response(piece))
                yield piece
    except SalamError as error:
        span.set_attribute("error.type", error.reason)
        span.set_status(Status(StatusCode.ERROR, error.reason))
        raise
    finally:
        span.end()


def _request(data: chat_pb2.ChatInput) -> dict[str, str | int | float]:
    call = current_or_none()
    attributes: dict[str, str | int | float] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": data.model,
        "gen_ai.request.stream": True,
    }
    if call is not None and call.envelope is not None:
        attributes["gen_ai.conversation.id"] = call.envelope.correlation_id
    for field in ("max_tokens", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
        if data.HasField(field):
            attributes[f"gen_ai.request.{field}"] = getattr(data, field)
    return attributes


def _response(finished: Finished) -> dict[str, str | int | float | list[str]]:
    reason = chat_pb2.FinishReason.Name(finished.reason).removeprefix("FINISH_REASON_").lower()
    return {
        "gen_ai.provider.name": finished.backend,
        "gen_ai.response.model": finished.model,
        "gen_ai.response.finish_reasons": [reason],
        "gen_ai.usage.input_tokens": finished.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": finished.usage.completion_tokens,
        "gen_ai.usage.cost": finished.usage.cost_micros / 1_000_000,
    }
