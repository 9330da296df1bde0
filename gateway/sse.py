"""Server-sent events: a stream of replies on HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
import structlog
from google.protobuf.descriptor import Descriptor

from gateway.cors import Cors
from gateway.errors import error_envelope, fault
from gateway.exchange import ClientGone, Exchange, Headers
from gateway.transcoding.fields import is_optional
from servers.kit.errors import SalamError

_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]
_KEEP_ALIVE = b": keep-alive\n\n"


def frame(name: str, data: bytes) -> bytes:
    """One event; `data` is JSON, which holds no line break. Without a name it is a `message` to browsers."""
    named = f"event: {name}\n".encode() if name else b""
    return b"%bdata: %b\n\n" % (named, data)


def set_member(reply: Descriptor) -> Callable[[Any], str]:
    """What names the events of a stream: the member that is set of the oneof in the reply's `data`."""
    data = reply.fields_by_name.get("data")
    oneofs = data.message_type.oneofs if data is not None and data.message_type is not None else []
    for oneof in oneofs:
        if not is_optional(oneof.fields[0]):
            name = oneof.name
            return lambda message: message.data.WhichOneof(name) or ""
    return lambda _: ""


class Relay:
    """Sends the replies of one RPC to one client.

    Until the first reply an error is the reply to the request; after it, an `error` event that ends the stream. While
    nothing happens a comment keeps proxies from closing the connection.
    """

    def __init__(self, exchange: Exchange, framed: Callable[[Any], bytes], cors: Cors, keep_alive_s: float) -> None:
        self._exchange = exchange
        self._framed = framed
        self._cors = cors
        self._keep_alive_s = keep_alive_s
        self._last = 0.0

    async def run(self, replies: AsyncGenerator[Any]) -> None:
        """Runs until the stream ends or the client has gone, which cancels the RPC.

        Raises ClientGone when nothing was sent by then.
        """
        sending = asyncio.ensure_future(self._send(replies))
        going = asyncio.ensure_future(self._exchange.disconnected())
        try:
            await asyncio.wait({sending, going}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            elif not self._exchange.status:
                raise ClientGone
        finally:
            # Closing the stream of replies cancels the RPC, which nothing reads any more.
            for task in (sending, going):
                task.cancel()
            await asyncio.wait({sending, going})
            await replies.aclose()

    async def _send(self, replies: AsyncGenerator[Any]) -> None:
        beating: asyncio.Task[None] | None = None
        try:
            async for reply in replies:
                if beating is None:
                    await self._begin(reply.envelope.tenant)
                    beating = asyncio.create_task(self._beat())
                await self._write(self._framed(reply))
            if beating is None:
                await self._begin("")
        except Exception as error:
            if beating is None:
                raise
            await self._write(self._framed_error(error))
        finally:
            if beating is not None:
                beating.cancel()
        await self._exchange.write(b"", more=False)

    async def _begin(self, tenant: str) -> None:
        await self._exchange.start(200, [*_HEADERS, *await self._cors.headers(self._exchange, tenant)])

    async def _write(self, chunk: bytes) -> None:
        self._last = asyncio.get_running_loop().time()
        await self._exchange.write(chunk)

    async def _beat(self) -> None:
        while True:
            quiet = asyncio.get_running_loop().time() - self._last
            if quiet >= self._keep_alive_s:
                await self._write(_KEEP_ALIVE)
                quiet = 0.0
            await asyncio.sleep(self._keep_alive_s - quiet)

    def _framed_error(self, error: Exception) -> bytes:
        if not isinstance(error, SalamError):
            structlog.get_logger().error("a stream broke", exc_info=error)
            error = fault()
        return frame("error", orjson.dumps(error_envelope(error, self._exchange.given)))
