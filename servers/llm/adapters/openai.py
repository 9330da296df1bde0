"""Any OpenAI-compatible server: vLLM, Ollama, llama.cpp, LiteLLM, external ones. Streams; a closed stream is cancelled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import orjson
from salambot.llm.v1 import chat_pb2

from servers.kit.errors import InvalidInput, Timeout, UpstreamError
from servers.llm import tokens
from servers.llm.adapters.openai_request import body_of
from servers.llm.adapters.openai_stream import CompletionReader
from servers.llm.backend import Conversation, Finished, Model, Piece, Traits, Vectors

_CONNECT_S = 3.0
_LIST_S = 2.0
_IDLE_S = 4.0
"""Connections idle for longer are closed: servers on uvicorn, vLLM among them, close theirs after 5 s, and a request
that meets the end of its connection on the way would be lost."""

_END_S = 0.1
_REFUSED = {400, 413, 422}  # the request is at fault; its tokens or its shape


class OpenAICompatible:
    """Backend over `/chat/completions` and `/embeddings`. Open it in the event loop that uses it.

    Through aiohttp: a request costs 0.1 ms of CPU, against 0.8 ms through httpx (measured with one streamed token).
    """

    def __init__(
        self,
        traits: Traits,
        url: str,
        api_key: str | None = None,
        models: Sequence[Model] = (),
        *,
        limit_field: str = "max_tokens",
        logprobs: bool = False,
    ) -> None:
        """`models` are asked of the server when there are none; its first one is then what the router may choose.

        `limit_field` is `max_completion_tokens` for servers that take no other. With `logprobs` those of replies to
        prompts are asked for.
        """
        self._traits = traits
        self._url = url.rstrip("/")
        self._models = models
        self._limit_field = limit_field
        self._logprobs = logprobs
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # Without limits of its own: the router's hold, and its silence is not that of a server that sends keep-alives.
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        )

    @property
    def traits(self) -> Traits:
        """See Backend."""
        return self._traits

    async def models(self) -> Sequence[Model]:
        """See Backend."""
        if self._models:
            return self._models
        limit = aiohttp.ClientTimeout(total=_LIST_S)
        async with self._answered("GET", "/models", timeout=limit) as response:
            try:
                listed = orjson.loads(await response.read())["data"]
                names = [model["id"] + "" for model in listed]  # a TypeError for what is no name
            except (ValueError, KeyError, TypeError) as error:
                raise UpstreamError("the model server does not list its models") from error
        return [Model(name, auto=index == 0) for index, name in enumerate(names)]

    async def write(self, conversation: Conversation, model: Model) -> AsyncGenerator[Piece]:
        """See Backend."""
        reader = CompletionReader()
        body = body_of(
            conversation.data, model.id, self._limit_field, self._logprobs and conversation.prompt is not None
        )
        async with self._answered("POST", "/chat/completions", body) as response:
            async for data in response.content.iter_any():
                if (delta := reader.read(data)) is not None:
                    yield delta
                if reader.done:
                    await _end(response)
                    break
        if not reader.reason and not (reader.done and reader.written):
            raise UpstreamError("the model server broke off its reply")
        yield Finished(
            reader.reason or chat_pb2.FINISH_REASON_STOP,
            reader.usage or tokens.usage(conversation.data, reader.written),
            logprob=reader.logprob,
        )

    async def embed(
        self, texts: Sequence[str], model: Model, dimensions: int | None
    ) -> tuple[Vectors, chat_pb2.TokenUsage]:
        """See EmbeddingBackend."""
        body: dict[str, Any] = {"model": model.id, "input": list(texts), "encoding_format": "float"}
        if dimensions is not None:
            body["dimensions"] = dimensions
        async with self._answered("POST", "/embeddings", orjson.dumps(body)) as response:
            try:
                answer = orjson.loads(await response.read())
                rows = sorted(answer["data"], key=lambda row: row["index"])
                vectors = np.asarray([row["embedding"] for row in rows], np.float32)
                used = (answer.get("usage") or {}).get("prompt_tokens")
                usage = chat_pb2.TokenUsage(prompt_tokens=sum(map(tokens.count, texts)) if used is None else used)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UpstreamError("the model server answered nonsense") from error
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise UpstreamError("the model server answered with other vectors than were asked for")
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), usage

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, body: bytes | None = None, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with its headers; leaving before its end closes the connection, which is how work is cancelled."""
        try:
            response = await self._session.request(
                method, self._url + path, data=body, headers={"content-type": "application/json"}, **options
            )
            try:
                if response.status >= 300:
                    raise _refusal(response)
                yield response
            finally:
                response.release() if response.content.at_eof() else response.close()
        except TimeoutError as error:
            raise Timeout("the model server did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"the model server is out of reach: {type(error).__name__}") from error


async def _end(response: aiohttp.ClientResponse) -> None:
    """Reads the little that follows the last event: a connection that is at its end can be used again."""
    try:
        async with asyncio.timeout(_END_S):
            while not response.content.at_eof():
                await response.content.readany()
    except (TimeoutError, aiohttp.ClientError):
        pass  # the reply is whole all the same


def _refusal(response: aiohttp.ClientResponse) -> InvalidInput | UpstreamError:
    """The error of a status; what the server says in words stays here, it may quote the customer."""
    if response.status in _REFUSED:
        return InvalidInput(f"the model refused the request ({response.status})")
    return UpstreamError(f"the model server answered {response.status}", retry_after=_seconds(response))


def _seconds(response: aiohttp.ClientResponse) -> float | None:
    """What `Retry-After` says; None where it says nothing, or a date."""
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
