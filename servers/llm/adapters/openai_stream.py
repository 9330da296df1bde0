"""Reads the server-sent events of a streamed completion, all that have come at a time into one delta."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import orjson
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import UpstreamError

LONGEST_EVENT = 4 * 1024 * 1024
"""Bytes; what is longer is not a piece of a reply."""

REASONS = {
    "stop": chat_pb2.FINISH_REASON_STOP,
    "length": chat_pb2.FINISH_REASON_LENGTH,
    "tool_calls": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "function_call": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "content_filter": chat_pb2.FINISH_REASON_CONTENT_FILTER,
}
_BROKEN_OFF = {"abort", "error"}  # vLLM's words for a reply that it gave up


class CompletionReader:
    """One reply as it arrives. `reason` and `usage` are there once the server has told them; `done` after its last event."""

    def __init__(self) -> None:
        self.reason: chat_pb2.FinishReason.ValueType = chat_pb2.FINISH_REASON_UNSPECIFIED
        self.usage: chat_pb2.TokenUsage | None = None
        self.done = False
        self._written: list[str] = []
        self._logprobs: list[float] = []
        self._rest = b""
        self._tool_ids: list[str] = []  # of the calls of this reply, by their index in it
        self._tool_at: dict[int, int] = {}  # the server's index → the call's place in `_tool_ids`

    @property
    def written(self) -> str:
        """All text and arguments so far."""
        return "".join(self._written)

    @property
    def logprob(self) -> float | None:
        """The mean log-probability of the tokens; None where the server does not tell them."""
        return fmean(self._logprobs) if self._logprobs else None

    def read(self, data: bytes) -> chat_pb2.ChatDelta | None:
        """The text and tool calls of all events that `data` completes, None when they hold none.

        An event is one `data:` line, as all servers of this protocol send them. Raises UpstreamError for an error the
        server reports and for what is no event.
        """
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_EVENT:
            raise UpstreamError("the model server answered nonsense")
        texts: list[str] = []
        calls: list[chat_pb2.ToolCallDelta] = []
        for line in lines:
            if line.startswith(b"data:") and (event := line[5:].strip()):
                if event == b"[DONE]":
                    self.done = True
                    break
                self._take(event, texts, calls)
        if not texts and not calls:
            return None
        text = "".join(texts)
        self._written.append(text)
        return chat_pb2.ChatDelta(text=text, tool_calls=calls)

    def _take(self, event: bytes, texts: list[str], calls: list[chat_pb2.ToolCallDelta]) -> None:
        try:
            chunk = orjson.loads(event)
            if chunk.get("error"):
                raise UpstreamError("the model server broke off its reply")
            for choice in chunk.get("choices") or ():
                self._take_choice(choice, texts, calls)
            if usage := chunk.get("usage"):
                self.usage = chat_pb2.TokenUsage(
                    prompt_tokens=usage.get("prompt_tokens") or 0, completion_tokens=usage.get("completion_tokens") or 0
                )
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UpstreamError("the model server answered nonsense") from error

    def _take_choice(self, choice: dict[str, Any], texts: list[str], calls: list[chat_pb2.ToolCallDelta]) -> None:
        if delta := choice.get("delta"):
            if text := delta.get("content"):
                texts.append(text + "")  # a TypeError for what is no text
            calls.extend(map(self._call, delta.get("tool_calls") or ()))
        if logprobs := choice.get("logprobs"):
            for token in logprobs.get("content") or ():
                self._logprobs.append(float(token["logprob"]))
        if reason := choice.get("finish_reason"):
            if reason in _BROKEN_OFF:
                raise UpstreamError("the model server broke off its reply")
            self.reason = REASONS.get(reason, chat_pb2.FINISH_REASON_STOP)

    def _call(self, call: dict[str, Any]) -> chat_pb2.ToolCallDelta:
        """A fragment of a tool call under an index of its own.

        Some servers leave the index out, or give every parallel call the same: a new id is a new call.
        """
        theirs, id_ = call.get("index") or 0, call.get("id") or ""
        index = self._tool_at.get(theirs)
        if index is None or (id_ and id_ != self._tool_ids[index]):
            index = self._tool_at[theirs] = len(self._tool_ids)
            self._tool_ids.append(id_)
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode()
        self._written.append(arguments)
        return chat_pb2.ToolCallDelta(index=index, id=id_, name=function.get("name") or "", arguments=arguments)
