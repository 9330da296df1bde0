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
    """One event of a streamed completion."""
    choices = [{"index": 0, "delta": {"content": text} if text is not None else {}, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "choices": choices, **more}) + b"\n\n"


def usage(completion: int) -> bytes:
    """The event that tells what a completion took: it has no choices."""
    tokens = {"prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion}
    return b"data: " + orjson.dumps({"choices": [], "usage": tokens}) + b"\n\n"


@dataclass
class ModelServer:
    """`steps` are what a completion does; `status` and `models` what else it answers."""

    url: str = ""
    steps: Sequence[Step] = ()
    status: int = 200
    models: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": "llama3-8b"}, {"id": "tiny"}]})
    models_status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    listed: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: Request) -> Response:
        self.requests.append(orjson.loads(await request.body()))
        self.headers.append(dict(request.headers))
        if self.status != 200:
            return JSONResponse({"error": {"message": "no"}}, self.status)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            for step in self.steps:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, type):
                    raise step
                else:
                    yield step if isinstance(step, bytes) else chunk(step)
        except asyncio.CancelledError:
            self.gone.set()
            raise

    async def list_models(self, request: Request) -> Response:
        self.listed += 1
        return JSONResponse(self.models, self.models_status)


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Serves one."""
    server = ModelServer()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", server.complete, methods=["POST"]),
            Route("/v1/models", server.list_models),
        ]
    )
    async with serving(app, "127.0.0.1", 0, drain_seconds=1) as port:
        server.url = f"http://127.0.0.1:{port}/v1"
        yield server
