"""Wraps a handler of any shape in the interceptors; used alike by the socket server and the in-process channel."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Any

from google.protobuf.message import Message

from servers.kit.call import Call, serving
from servers.kit.interceptors.base import Interceptor
from servers.kit.method import Method

Handler = Callable[..., Any]
Send = Callable[[Any], Awaitable[None]]


class Chain:
    """The interceptors of a server, applied to one RPC at a time.

    `unary` and `stream` run a handler for a call and raise only errors of the contract (SalamError) or
    CancelledError; how those are told to the caller is the transport's affair.
    """

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self._contract = _Steps(interceptors)
        self._plain = _Steps([item for item in interceptors if not item.contract_only])

    async def unary(self, call: Call, handler: Handler, request: Any, context: Any) -> Message:
        """Runs a handler that answers with one message; `request` is a message, or an iterator of them."""
        steps = self._steps(call.method)
        with serving(call):
            async with _Around(steps, call):
                await steps.look(call)
                reply = handler(steps.incoming(call, request), context)
                reply = await reply if inspect.isawaitable(reply) else reply
                steps.outgoing(call, reply)
                return reply  # type: ignore[no-any-return]

    async def stream(self, call: Call, handler: Handler, request: Any, context: Any, send: Send) -> None:
        """Runs a handler that answers with a stream; `send` takes each reply and waits for a slow reader.

        Replies are pushed, not yielded: a generator left suspended at a `yield` is closed by whoever collects it, in
        another task and context, where neither the deadline nor the current call can be taken back.
        """
        steps = self._steps(call.method)
        with serving(call):
            async with _Around(steps, call):
                await steps.look(call)
                async with aclosing(handler(steps.incoming(call, request), context)) as replies:
                    async for reply in replies:
                        steps.outgoing(call, reply)
                        await send(reply)

    def _steps(self, method: Method) -> _Steps:
        return self._contract if method.contractual else self._plain


class _Steps:
    """The overridden methods of the interceptors, in order."""

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self.around = [item.around for item in interceptors if type(item).around is not Interceptor.around]
        self._calls = [item.on_call for item in interceptors if type(item).on_call is not Interceptor.on_call]
        self._requests = [i.on_request for i in interceptors if type(i).on_request is not Interceptor.on_request]
        self._responses = [i.on_response for i in interceptors if type(i).on_response is not Interceptor.on_response]

    async def look(self, call: Call) -> None:
        for step in self._calls:
            await step(call)

    def incoming(self, call: Call, request: Any) -> Any:
        if isinstance(request, Message):
            for step in self._requests:
                step(call, request)
            return request
        return self._each(call, request)

    async def _each(self, call: Call, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            for step in self._requests:
                step(call, request)
            yield request

    def outgoing(self, call: Call, reply: Message) -> None:
        for step in self._responses:
            step(call, reply)


class _Around:
    """Enters what wraps a call and leaves it in the opposite order: an AsyncExitStack without its generality."""

    __slots__ = ("_call", "_entered", "_steps")

    def __init__(self, steps: _Steps, call: Call) -> None:
        self._steps = steps
        self._call = call
        self._entered: list[AbstractAsyncContextManager[None]] = []

    async def __aenter__(self) -> None:
        try:
            for around in self._steps.around:
                manager = around(self._call)
                await manager.__aenter__()
                self._entered.append(manager)
        except BaseException as error:
            await self._leave(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        first = error
        while self._entered:
            try:
                await self._entered.pop().__aexit__(
                    type(error) if error is not None else None, error, error.__traceback__ if error else None
                )
            except BaseException as changed:
                error = changed
        if error is not first and error is not None:
            raise error


def handler_of(handler: Any) -> Handler:
    """The function behind a generated `grpc.RpcMethodHandler`, whatever its shape."""
    function: Handler = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return function
