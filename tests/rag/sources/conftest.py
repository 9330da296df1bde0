"""A web site and a bucket of the test's own, on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import boto3
import pytest
import uvicorn
from moto.server import ThreadedMotoServer
from starlette.requests import Request
from starlette.responses import Response

_numbers = count()

Page = str | Callable[[Request], Awaitable[Response]]


@dataclass
class Site:
    """What a web server answers, by path, and which paths it was asked for."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    answer: Page | None = None  # to all else
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        if scope["type"] != "http":
            return
        request = Request(scope)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append(path)
        self.headers.append(dict(request.headers))
        page = self.pages.get(path, self.answer)
        if page is None:
            response = Response("no", 404)
        elif isinstance(page, str):
            response = Response(page, media_type="text/html")
        else:
            response = await page(request)
        await response(scope, receive, send)  # type: ignore[arg-type]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A web server."""
    listener = socket.create_server(("127.0.0.1", 0))
    site = Site(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(site, log_level="error", lifespan="off", timeout_graceful_shutdown=1))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve([listener]))
    yield site
    server.should_exit = True
    await serving


class S3:
    """An S3 server with a bucket."""

    def __init__(self, endpoint: str, bucket: str) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        self.endpoint = endpoint
        self.bucket = bucket
        self._client = boto3.client("s3", endpoint_url=endpoint, **keys)
        self._client.create_bucket(Bucket=bucket)

    def put(self, key: str, data: bytes) -> None:
        """Stores an object."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=data)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str) -> S3:
    """A bucket."""
    return S3(s3_endpoint, f"bucket-{next(_numbers)}")
