"""Any OpenAI-compatible server: vLLM, Ollama, llama.cpp, LiteLLM, external ones. Streams; a closed stream is cancelled."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple

import httpx
import orjson

from servers.kit.call import current_or_none
from servers.kit.errors import Timeout, UpstreamError
from servers.llm import tokens
from servers.llm.backend import Finished, Piece, Prompt
from servers.llm.instructions import messages_for

MOST_TOKENS = 500
_CONNECT_S = 3.0
_SILENCE_S = 10.0
"""The longest wait for the next piece, or half of what the call has left: the next backend needs the other half."""
_MODELS_KEPT_S = 30.0
_GROUNDED_CONFIDENCE = 0.8  # times the best passage's relevance; measured calibration belongs to the guardrails


class _Chunk(NamedTuple):
    """A piece of a streamed completion: its text, the tokens counted so far, and whether the reply ends with it."""

    text: str
    counted: int | None
    last: bool

    @classmethod
    def read(cls, data: str) -> _Chunk:
        """The chunk of one event; raises UpstreamError for an error, and for what is no chunk."""
        try:
            chunk = orjson.loads(data)
            if "error" in chunk:
                raise UpstreamError("the model server broke off its reply")
            choices = chunk.get("choices") or ()
            return cls(
                "".join(choice["delta"].get("content") or "" for choice in choices if choice.get("delta")),
                (chunk.get("usage") or {}).get("completion_tokens"),
                any(choice.get("finish_reason") for choice in choices),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise UpstreamError("the model server answered nonsense") from error


class OpenAICompatible:
    """Backend over `/chat/completions`; `model` is asked for when a prompt names none, else the server's first."""

    def __init__(self, url: str, api_key: str | None, model: str | None) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/", headers=headers, timeout=httpx.Timeout(30, connect=_CONNECT_S)
        )
        self._model = model
        self._known: tuple[float, list[str]] = (0.0, [])

    @property
    def name(self) -> str:
        """See Backend."""
        return "openai"

    async def models(self) -> list[str]:
        """See Backend; asked again every half minute."""
        until, known = self._known
        if time.monotonic() < until:
            return known
        try:
            response = await self._client.get("models", timeout=_CONNECT_S)
            response.raise_for_status()
            known = [model["id"] for model in response.json()["data"]]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            raise UpstreamError(f"the model server does not list its models: {type(error).__name__}") from error
        self._known = (time.monotonic() + _MODELS_KEPT_S, known)
        return known

    async def write(self, prompt: Prompt, model: str | None) -> AsyncIterator[Piece]:
        """See Backend."""
        chosen = model or self._model or (await self._first_model())
        body = {
            "model": chosen,
            "messages": messages_for(prompt),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": MOST_TOKENS,
            "temperature": 0.2,
        }
        written: list[str] = []
        counted: int | None = None
        async with aclosing(self._chunks(body)) as chunks:
            async for chunk in chunks:
                counted = chunk.counted if chunk.counted is not None else counted
                if chunk.text:
                    written.append(chunk.text)
                    yield chunk.text
        if not written:
            raise UpstreamError("the model server answered without a text")
        best = max((passage.score for passage in prompt.passages), default=1.0)
        yield Finished(
            chosen,
            counted if counted is not None else tokens.count("".join(written)),
            _GROUNDED_CONFIDENCE * best,
            tuple(range(len(prompt.passages))),
        )

    async def _first_model(self) -> str:
        models = await self.models()
        if not models:
            raise UpstreamError("the model server serves no model")
        return models[0]

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[_Chunk]:
        call = current_or_none()
        silence = min(_SILENCE_S, max(call.remaining() / 2, 0.001)) if call else _SILENCE_S
        limit = httpx.Timeout(silence, connect=min(_CONNECT_S, silence))
        finished = False
        try:
            async with self._client.stream("POST", "chat/completions", json=body, timeout=limit) as response:
                if response.is_error:
                    raise UpstreamError(f"the model server answered {response.status_code}")
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data == "[DONE]":
                        return
                    if data:
                        chunk = _Chunk.read(data)
                        finished = finished or chunk.last
                        yield chunk
            if not finished:
                raise UpstreamError("the model server broke off its reply")
        except httpx.TimeoutException as error:
            raise Timeout("the model server did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError(f"the model server is out of reach: {type(error).__name__}") from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
