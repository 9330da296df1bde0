"""What the generating models of Triton have in common: a text in, pieces of a text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeAlias

from salambot.llm.v1 import chat_pb2

from servers.llm import tokens
from servers.llm.adapters.chat_template import ChatTemplate
from servers.llm.adapters.triton_stream import Outputs, TritonStreams
from servers.llm.backend import Conversation, Finished, Model, Piece, Traits

Inputs: TypeAlias = Mapping[str, Sequence[Any]]

MOST_TOKENS = 1024
"""Where the caller sets no limit: these backends would stop at 16, or at none at all."""


class TritonText(ABC):
    """Backend over decoupled models that take `text_input` and answer with `text_output`."""

    def __init__(self, traits: Traits, url: str, models: Sequence[Model], template: ChatTemplate | None = None) -> None:
        self._traits = traits
        self._streams = TritonStreams(url)
        self._models = [replace(model, text_only=True) for model in models]
        self._template = template or ChatTemplate()

    @property
    def traits(self) -> Traits:
        """See Backend."""
        return self._traits

    async def models(self) -> Sequence[Model]:
        """See Backend."""
        for model in self._models:
            await self._streams.ready(model.id)
        return self._models

    async def write(self, conversation: Conversation, model: Model) -> AsyncGenerator[Piece]:
        """See Backend."""
        text = self._template.render(conversation.data)
        limit = conversation.data.max_tokens or MOST_TOKENS
        stops = [*conversation.data.stop, *self._template.stops]
        reply = Reply()
        inputs: Inputs = {"text_input": [text], "stream": [True], **self.sampling(conversation.data, limit, stops)}
        async with aclosing(self._streams.model(model.id).stream(inputs)) as responses:
            async for outputs in responses:
                if piece := reply.read(outputs):
                    yield chat_pb2.ChatDelta(text=piece)
        written = reply.text
        usage = chat_pb2.TokenUsage(
            prompt_tokens=reply.prompt_tokens or tokens.count(text),
            completion_tokens=reply.completion_tokens or tokens.count(written),
        )
        cut = reply.reason == "length" or (not reply.reason and reply.completion_tokens >= limit)
        reason = chat_pb2.FINISH_REASON_LENGTH if cut else chat_pb2.FINISH_REASON_STOP
        yield Finished(reason, usage, logprob=reply.logprob)

    @abstractmethod
    def sampling(self, data: chat_pb2.ChatInput, limit: int, stops: Sequence[str]) -> Inputs:
        """The inputs that say how to write: at most `limit` tokens, up to one of `stops`."""

    async def close(self) -> None:
        """Closes the connection."""
        await self._streams.close()


class Reply:
    """One reply as it arrives, under the names of outputs that vLLM and TensorRT-LLM use; those not told stay empty."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.reason = ""
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._logprob_sum: float | None = None

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)

    @property
    def logprob(self) -> float | None:
        """The mean log-probability of its tokens, where both are told."""
        if self._logprob_sum is None or not self.completion_tokens:
            return None
        return self._logprob_sum / self.completion_tokens

    def read(self, outputs: Outputs) -> str:
        """The text of one response."""
        piece = "".join(outputs.get("text_output", ()))
        self._pieces.append(piece)
        self.reason = next((reason for reason in outputs.get("finish_reason", ()) if reason), self.reason)
        self.prompt_tokens = max([self.prompt_tokens, *outputs.get("num_input_tokens", ())])
        self.completion_tokens += sum(outputs.get("num_output_tokens", ()))
        for name in ("cumulative_logprob", "cum_log_probs"):
            if values := outputs.get(name):
                self._logprob_sum = float(values[0])
        return piece
