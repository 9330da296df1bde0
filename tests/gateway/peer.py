"""A real gRPC server that answers every RPC of the contract with what a test queues, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from gateway.transcoding.contract import Contract
from servers.kit.errors import SalamError
from servers.kit.status import to_status

Step = Message | SalamError | float
"""What the server does next: send a message, fail, or wait so many seconds."""


class Peer(grpc.GenericRpcHandler):
    """Replies queue by method name; an RPC without a queued reply answers an empty `data` under the caller's envelope."""

    def __init__(self, contract: Contract) -> None:
        self.forget()
        self._methods = {
            f"/{service.full_name}/{method.name}": method for service in contract.services for method in service.methods
        }

    def forget(self) -> None:
        """Starts anew, for the next test."""
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.remaining: list[float] = []
        # A Step for an RPC with one reply, a list of them for a stream.
        self.replies: dict[str, deque[Any]] = defaultdict(deque)
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        method = self._methods.get(details.method)
        if method is None:
            return None
        request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        async def unary(message: Any, context: Any) -> Any:
            self._keep(message, context)
            queued = self.replies[method.name].popleft() if self.replies[method.name] else reply()
            if isinstance(queued, float):
                try:
                    await asyncio.sleep(queued)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
                queued = reply()
            if isinstance(queued, SalamError):
                await context.abort_with_status(rpc_status.to_status(to_status(queued)))
            return self._completed(queued, message)

        async def stream(message: Any, context: Any) -> AsyncIterator[Message]:
            self._keep(message, context)
            try:
                for step in self.replies[method.name].popleft():
                    if isinstance(step, float):
                        await asyncio.sleep(step)
                    elif isinstance(step, SalamError):
                        await context.abort_with_status(rpc_status.to_status(to_status(step)))
                    else:
                        yield self._completed(step, message)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, request.FromString, reply.SerializeToString)
        return grpc.unary_unary_rpc_method_handler(unary, request.FromString, reply.SerializeToString)

    def _keep(self, message: Any, context: Any) -> None:
        self.requests.append(message)
        self.asked.set()
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining.append(context.time_remaining())

    def _completed(self, reply: Any, request: Any) -> Any:
        if not reply.HasField("envelope"):
            reply.envelope.CopyFrom(request.envelope)
            reply.envelope.tenant = reply.envelope.tenant or "demo"
        return reply
