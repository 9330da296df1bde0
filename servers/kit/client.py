"""One channel to all components: generated stubs over it reach a handler of this process or a peer over gRPC.

`NLUServiceStub(channel)` works the same on a laptop, where everything runs in one process, and in a cluster. The
channel does what a caller would forget:

1. envelope    a request without one gets the envelope of the call being served
2. deadline    the caller's remaining time less a margin, or the RPC's own limit when that is nearer
3. credential  the principal of the call being served: handed over in process, signed for a peer
4. trace       W3C trace context for a peer
5. errors      what comes back is a SalamError, whichever way the call went
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import cache
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from servers.kit import method as methods
from servers.kit.call import Call, current_or_none
from servers.kit.credentials import Signer
from servers.kit.envelope import Envelope
from servers.kit.errors import SalamError, Timeout
from servers.kit.inprocess import LocalHandlers
from servers.kit.method import Method
from servers.kit.principal import Principal
from servers.kit.status import from_rpc_error

MARGIN_S = 0.010
"""What a child call leaves its parent, in seconds, to answer that it ran out of time."""

_OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # its own 120 s would outlast the outage by two minutes
]


class Channel(grpc.aio.Channel):
    """A `grpc.aio.Channel` for generated stubs. Peers' connections are opened once and kept."""

    def __init__(self, local: LocalHandlers, peers: str, signer: Signer) -> None:
        self._local = local
        self._peers = peers
        self._signer = signer
        self._connections: dict[str, grpc.aio.Channel] = {}
        self._tracer = trace.get_tracer("salambot.kit")

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        """A callable for one RPC: `await call(request, timeout=…, metadata=…)`."""
        return self._unary(method, "unary_unary", request_serializer, response_deserializer)

    def stream_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        """As `unary_unary`, with an async iterator of requests."""
        return self._unary(method, "stream_unary", request_serializer, response_deserializer)

    def unary_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        """A callable for one RPC: `async for reply in call(request, …)`; closing the iterator cancels the call."""
        return self._stream(method, "unary_stream", request_serializer, response_deserializer)

    def stream_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        """As `unary_stream`, with an async iterator of requests."""
        return self._stream(method, "stream_stream", request_serializer, response_deserializer)

    def _unary(self, path: str, shape: str, serializer: Any, deserializer: Any) -> Callable[..., Awaitable[Message]]:
        remote = cache(lambda: self._remote(methods.find(path), shape, serializer, deserializer))

        async def call(
            request: Any,
            timeout: float | None = None,  # noqa: ASYNC109 - the name that generated stubs use
            metadata: grpc.aio.Metadata | None = None,
            **_: Any,
        ) -> Message:
            outgoing, request = _outgoing(methods.find(path), timeout, metadata), _with_envelope(request)
            if path in self._local:
                return await self._local.unary(outgoing, request)
            with _client_span(self._tracer, outgoing) as trace_context:
                headers = self._headers(outgoing, trace_context)
                try:
                    return await remote()(request, timeout=_seconds(outgoing), metadata=headers)  # type: ignore[no-any-return]
                except grpc.aio.AioRpcError as error:
                    raise from_rpc_error(error) from None

        return call

    def _stream(
        self, path: str, shape: str, serializer: Any, deserializer: Any
    ) -> Callable[..., AsyncGenerator[Message]]:
        remote = cache(lambda: self._remote(methods.find(path), shape, serializer, deserializer))

        async def call(
            request: Any,
            timeout: float | None = None,  # noqa: ASYNC109 - the name that generated stubs use
            metadata: grpc.aio.Metadata | None = None,
            **_: Any,
        ) -> AsyncGenerator[Message]:
            outgoing, request = _outgoing(methods.find(path), timeout, metadata), _with_envelope(request)
            if path in self._local:
                async with aclosing(self._local.stream(outgoing, request)) as replies:
                    async for reply in replies:
                        yield reply
                return
            with _client_span(self._tracer, outgoing) as trace_context:
                headers = self._headers(outgoing, trace_context)
                stream = remote()(request, timeout=_seconds(outgoing), metadata=headers)
                try:
                    async for reply in stream:
                        yield reply
                except grpc.aio.AioRpcError as error:
                    raise from_rpc_error(error) from None
                finally:
                    stream.cancel()

        return call

    def _remote(self, method: Method, shape: str, serializer: Any, deserializer: Any) -> Any:
        address = self._peers.format(component=method.component)
        connection = self._connections.get(address)
        if connection is None:
            connection = self._connections[address] = grpc.aio.insecure_channel(address, options=_OPTIONS)
        return getattr(connection, shape)(
            method.path, request_serializer=serializer, response_deserializer=deserializer
        )

    def _headers(self, call: Call, trace_context: Context) -> list[tuple[str, str]]:
        headers = dict(call.metadata)
        if call.principal is not None:
            headers["authorization"] = f"Bearer {self._signer.sign(call.principal)}"
        propagate.inject(headers, trace_context)
        return list(headers.items())

    async def close(self, grace: float | None = None) -> None:
        """Closes the connections to peers."""
        connections, self._connections = self._connections, {}
        await asyncio.gather(*(connection.close(grace) for connection in connections.values()))

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Ready: local handlers always are, and each peer's state is its own."""
        return grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Never returns: the state does not change."""
        await asyncio.Event().wait()

    async def channel_ready(self) -> None:
        """Returns at once."""


def _outgoing(method: Method, timeout: float | None, metadata: Any) -> Call:
    """The call to be made, on behalf of the one being served when there is one."""
    parent = current_or_none()
    deadline = time.monotonic() + (timeout if timeout is not None and timeout < method.timeout_s else method.timeout_s)
    principal: Principal | None = None
    if parent is not None:
        deadline = min(deadline, parent.deadline - MARGIN_S)
        principal = parent.principal.trusted() if parent.principal is not None else None
    return Call(method, dict(metadata) if metadata else {}, deadline, principal)


def _with_envelope(request: Any) -> Any:
    """The request, or each of a stream of them, under the envelope of the call being served when it has none."""
    parent = current_or_none()
    if parent is None or parent.envelope is None:
        return request
    if isinstance(request, Message):
        return _enclosed(request, parent.envelope)
    return _each_enclosed(request, parent.envelope)


async def _each_enclosed(requests: AsyncIterable[Message], envelope: Envelope) -> AsyncIterator[Message]:
    async for request in requests:
        yield _enclosed(request, envelope)


def _enclosed(request: Message, envelope: Envelope) -> Message:
    if not request.HasField("envelope"):
        request.envelope.CopyFrom(envelope)  # type: ignore[attr-defined]
    return request


def _seconds(call: Call) -> float:
    remaining = call.remaining()
    if remaining <= 0:
        raise Timeout("the deadline had passed before the call began")
    return remaining


@contextmanager
def _client_span(tracer: trace.Tracer, call: Call) -> Iterator[Context]:
    """A span around a call to a peer, and the context that tells the peer of it.

    It does not become the current one: a stream's reader runs between its replies, in this very context.
    """
    span = tracer.start_span(
        call.method.path[1:], kind=SpanKind.CLIENT, attributes={"rpc.system": "grpc", "rpc.method": call.method.path}
    )
    try:
        yield trace.set_span_in_context(span)
    except SalamError as error:
        span.set_status(Status(StatusCode.ERROR, error.reason))
        raise
    finally:
        span.end()
