"""A conversation as the body of OpenAI's `/chat/completions`."""

from __future__ import annotations

from typing import Any

import orjson
from salambot.llm.v1 import chat_pb2

_ROLES = {
    chat_pb2.CHAT_ROLE_SYSTEM: "system",
    chat_pb2.CHAT_ROLE_DEVELOPER: "system",  # which every server knows; those that tell them apart take it for developer
    chat_pb2.CHAT_ROLE_USER: "user",
    chat_pb2.CHAT_ROLE_ASSISTANT: "assistant",
    chat_pb2.CHAT_ROLE_TOOL: "tool",
}
_TOOL_MODES = {
    chat_pb2.TOOL_MODE_AUTO: "auto",
    chat_pb2.TOOL_MODE_NONE: "none",
    chat_pb2.TOOL_MODE_REQUIRED: "required",
}
_PLAIN = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls")


def body_of(data: chat_pb2.ChatInput, model: str, limit_field: str, logprobs: bool) -> bytes:
    """The JSON of a streamed completion by `model`; `limit_field` is what the server calls the most tokens.

    Schemas go along as they were written: whoever made `data` has seen to it that they are JSON.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in data.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if data.HasField("max_tokens"):
        body[limit_field] = data.max_tokens
    body |= {name: getattr(data, name) for name in _PLAIN if data.HasField(name)}  # type: ignore[arg-type]
    if logprobs:
        body["logprobs"] = True
    if data.stop:
        body["stop"] = list(data.stop)
    if data.tools:
        body["tools"] = [_tool(tool) for tool in data.tools]
    if data.tool_mode == chat_pb2.TOOL_MODE_FUNCTION:
        body["tool_choice"] = {"type": "function", "function": {"name": data.tool_name}}
    elif data.tool_mode:
        body["tool_choice"] = _TOOL_MODES[data.tool_mode]
    if data.HasField("response_format"):
        body["response_format"] = _response_format(data.response_format)
    return orjson.dumps(body)


def _message(message: chat_pb2.ChatMessage) -> dict[str, Any]:
    found: dict[str, Any] = {"role": _ROLES[message.role], "content": _content(message)}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        found["tool_call_id"] = message.tool_call_id
    if message.name:
        found["name"] = message.name
    return found


def _content(message: chat_pb2.ChatMessage) -> Any:
    """A string where one will do: not every server reads parts."""
    parts = message.content
    if len(parts) == 1 and parts[0].HasField("text"):
        return parts[0].text
    if not parts:
        return None if message.tool_calls else ""
    return [
        {"type": "text", "text": part.text}
        if part.HasField("text")
        else {"type": "image_url", "image_url": {"url": part.image_url}}
        for part in parts
    ]


def _tool(tool: chat_pb2.Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = orjson.Fragment(tool.parameters)
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _response_format(wanted: chat_pb2.ResponseFormat) -> dict[str, Any]:
    if wanted.type != "json_schema":
        return {"type": wanted.type}
    schema: dict[str, Any] = {"name": wanted.name, "schema": orjson.Fragment(wanted.schema)}
    if wanted.HasField("strict"):
        schema["strict"] = wanted.strict
    return {"type": wanted.type, "json_schema": schema}
