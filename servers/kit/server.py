"""The gRPC server of a process: the socket side of the chain, health, reflection, graceful drain."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from servers.kit import method as methods
from servers.kit.call import Call
from servers.kit.chain import Chain, handler_of
from servers.kit.errors import SalamError
from servers.kit.health import Health
from servers.kit.method import Method
from servers.kit.status import to_status

_OPTIONS = [
    ("grpc.so_reuseport", 0),  # two servers on one port would each answer half of the calls
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
]


_SILENCE_S = 0.05
_LONGEST_HEARING_S = 2.0


class SocketInterceptor(grpc.aio.ServerInterceptor):
    """Runs the chain around each handler of a grpc.aio server and tells errors as `google.rpc.Status`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the handler of a method once and keeps it."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[path] = self._wrap(methods.find(path), handler)
        return wrapped

    def _wrap(self, method: Method, handler: Any) -> Any:
        serve = handler_of(handler)

        async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await self._chain.unary(_call(method, context), serve, request, context)
            except SalamError as error:
                await _abort(context, error)

        async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            try:
                await self._chain.stream(_call(method, context), serve, request, context, context.write)
            except SalamError as error:
                if method.client_streaming:
                    await _hear_out(request)
                await _abort(context, error)

        make, behaviour = {
            (False, False): (grpc.unary_unary_rpc_method_handler, unary),
            (False, True): (grpc.unary_stream_rpc_method_handler, stream),
            (True, False): (grpc.stream_unary_rpc_method_handler, unary),
            (True, True): (grpc.stream_stream_rpc_method_handler, stream),
        }[handler.request_streaming, handler.response_streaming]
        return make(behaviour, handler.request_deserializer, handler.response_serializer)


async def _hear_out(requests: AsyncIterable[object]) -> None:
    """Waits, but not long, until the client writes no more: grpc.aio's tells a write that fails in place of our error."""
    iterator = aiter(requests)
    with suppress(Exception):
        async with asyncio.timeout(_LONGEST_HEARING_S):
            while True:
                await asyncio.wait_for(anext(iterator), _SILENCE_S)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: SalamError) -> None:
    trailing: tuple[tuple[str, str], ...] = ()
    if error.retry_after is not None:
        trailing = (("retry-after", str(math.ceil(error.retry_after))),)
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, trailing_metadata=(*status.trailing_metadata, *trailing))


def _call(method: Method, context: grpc.aio.ServicerContext[Any, Any]) -> Call:
    remaining = context.time_remaining()
    seconds = method.timeout_s if remaining is None or remaining > method.timeout_s else remaining
    metadata = {str(key): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return Call(method, metadata, time.monotonic() + seconds)


class _Unregistered:
    """Takes the handlers of servicers from generated code and finds them by path alone.

    For each method that is registered, grpc.aio keeps a task of its own and looks at all of them for every call: a hundred
    methods cost a call some 40 µs.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Called by generated code with the handlers of one service."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Called by generated code with the same handlers once more."""


class Server:
    """A grpc.aio server on one address. Servicers are added to `grpc` with the generated functions."""

    def __init__(self, chain: Chain) -> None:
        self._server = grpc.aio.server(interceptors=[SocketInterceptor(chain)], options=_OPTIONS)
        self.grpc: Any = _Unregistered(self._server)  # as much of a grpc.aio.Server as generated code uses
        self.port = 0

    async def start(self, host: str, port: int, services: Sequence[str], health: Health) -> None:
        """Listens; `services` are the full names that reflection lists. Port 0 takes a free one: see `port`.

        Raises OSError when the address is taken.
        """
        health_pb2_grpc.add_HealthServicer_to_server(health, self.grpc)
        names = (*services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {host}:{port}: is the port taken? ({error})") from None
        await self._server.start()

    async def stop(self, drain_s: float) -> None:
        """Takes no new calls and lets running ones finish for `drain_s` seconds, then cancels them."""
        await asyncio.shield(self._server.stop(drain_s))
