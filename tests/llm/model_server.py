"""An HTTP server that speaks OpenAI's streamed wire as each test tells it to, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.server import serving

Step = str | bytes | float | type[Exception]
"""A piece of text, bytes as they are, seconds to wait, or an exception that breaks the connection."""

DONE = b"data: [DONE]\n\n"


def chunk(text: str | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """One event of a streamed completion; `more` goes into its delta."""
    delta = {**({"content": text} if text is not None else {}), **more}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "choices": choices}) + b"\n\n"


def usage(completion: int) -> bytes:
    """The event that tells what a completion took: it has no choices."""
    tokens = {"prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion}
    return b"data: " + orjson.dumps({"choices": [], "usage": tokens}) + b"\n\n"


@dataclass
class ModelServer:
    """`steps` are what a completion does, after `thinks_s` seconds without an answer; the rest is what else it answers."""

    url: str = ""
    steps: Sequence[Step] = ()
    thinks_s: float = 0.0
    status: int = 200
    status_headers: dict[str, str] = field(default_factory=dict)
    models: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": "llama3-8b"}, {"id": "tiny"}]})
    models_status: int = 200
    vectors: Any = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    clients: set[object] = field(default_factory=set)
    listed: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: Request) -> Response:
        self.requests.append(orjson.loads(await request.body()))
        self.headers.append(dict(request.headers))
        self.clients.add(request.client)
        if self.thinks_s and await self._left_within(request, self.thinks_s):
            self.gone.set()
        if self.status != 200:
            return JSONResponse({"error": {"message": "no"}}, self.status, self.status_headers)
        return StreamingResponse(self._stream(self.steps), media_type="text/event-stream")

    async def _stream(self, steps: Sequence[Step]) -> AsyncIterator[bytes]:
        try:
            for step in steps:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, type):
                    raise step
                else:
                    yield step if isinstance(step, bytes) else chunk(step)
        except asyncio.CancelledError:
            self.gone.set()
            raise

    async def _left_within(self, request: Request, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return (await request.receive())["type"] == "http.disconnect"
        except TimeoutError:
            return False

    async def list_models(self, request: Request) -> Response:
        self.listed += 1
        return JSONResponse(self.models, self.models_status)

    async def embed(self, request: Request) -> Response:
        self.requests.append(orjson.loads(await request.body()))
        return JSONResponse(self.vectors, self.status)


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Serves one."""
    server = ModelServer()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", server.complete, methods=["POST"]),
            Route("/v1/embeddings", server.embed, methods=["POST"]),
            Route("/v1/models", server.list_models),
        ]
    )
    async with serving(app, "127.0.0.1", 0, drain_seconds=1) as port:
        server.url = f"http://127.0.0.1:{port}/v1"
        yield server
