"""Any OpenAI-compatible server: vLLM, Ollama, llama.cpp, LiteLLM, external ones. Streams; a closed stream is cancelled."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

from servers.kit.call import current_or_none
from servers.kit.errors import Timeout, UpstreamError
from servers.llm import tokens
from servers.llm.backend import Finished, Piece, Prompt
from servers.llm.instructions import messages_for

MOST_TOKENS = 500
_CONNECT_S = 3.0
_MODELS_KEPT_S = 30.0
_GROUNDED_CONFIDENCE = 0.8  # times the best passage's relevance; measured calibration belongs to the guardrails


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
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
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
        async for chunk in self._chunks(body):
            counted = (chunk.get("usage") or {}).get("completion_tokens", counted)
            for choice in chunk.get("choices", ()):
                piece = (choice.get("delta") or {}).get("content")
                if piece:
                    written.append(piece)
                    yield piece
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

    async def _chunks(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        call = current_or_none()
        limit = httpx.Timeout(max(call.remaining(), 0.001) if call else 30, connect=_CONNECT_S)
        try:
            async with self._client.stream("POST", "chat/completions", json=body, timeout=limit) as response:
                if response.is_error:
                    raise UpstreamError(f"the model server answered {response.status_code}")
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data == "[DONE]":
                        return
                    if data:
                        chunk = orjson.loads(data)
                        if "error" in chunk:
                            raise UpstreamError("the model server broke off its reply")
                        yield chunk
        except httpx.TimeoutException as error:
            raise Timeout("the model server did not answer in time") from error
        except (httpx.HTTPError, ValueError) as error:
            raise UpstreamError(f"the model server is out of reach: {type(error).__name__}") from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
