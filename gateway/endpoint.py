"""REST endpoints of RPCs: JSON in, one gRPC call, JSON or a stream of events out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from gateway.client_address import Proxies
from gateway.cors import Cors
from gateway.departure import Presence
from gateway.errors import new_id
from gateway.exchange import Exchange
from gateway.sse import Relay, frame, set_member
from gateway.transcoding.binding import UrlBinding
from gateway.transcoding.codec import Codec, parse
from gateway.transcoding.contract import Binding, Rpc
from gateway.transcoding.refusal import Refused


@dataclass(frozen=True, slots=True)
class Edge:
    """What all endpoints share. `limit` is the largest body in bytes; after `keep_alive_s` a quiet stream says so."""

    codec: Codec
    channel: grpc.aio.Channel
    cors: Cors
    proxies: Proxies
    limit: int
    keep_alive_s: float


class Endpoint:
    """One REST form of one RPC. `serve` answers a request, or raises SalamError before anything was sent."""

    def __init__(self, rpc: Rpc, binding: Binding, edge: Edge) -> None:
        self.rpc = rpc
        self.binding = binding
        self._request = edge.codec.of(rpc.descriptor.input_type)
        self._reply = edge.codec.of(rpc.descriptor.output_type)
        self._url = UrlBinding(rpc, binding)
        self._cors = edge.cors
        self._proxies = edge.proxies
        self._limit = edge.limit
        self._call: Any = _connect(rpc, edge.channel)(
            rpc.path,
            request_serializer=self._request.message_class.SerializeToString,
            response_deserializer=self._reply.message_class.FromString,
        )

    async def serve(self, exchange: Exchange, values: tuple[str, ...]) -> None:
        """Answers one request; `values` are those of the path's variables."""
        raise NotImplementedError

    async def _ask(self, exchange: Exchange, values: tuple[str, ...]) -> Any:
        """The running RPC."""
        given = await self._given(exchange, values)
        request = self._request.read(given)
        metadata = exchange.metadata(self._proxies)
        return self._call(request, metadata=metadata, timeout=exchange.timeout(self.rpc.timeout_s))

    async def _given(self, exchange: Exchange, values: tuple[str, ...]) -> dict[str, Any]:
        """The request as a JSON object: the body, or an envelope made here, with what the URL says."""
        if self.binding.with_body:
            given: Any = parse(await exchange.body(self._limit))
            exchange.given = given
            if type(given) is not dict:
                return given  # type: ignore[no-any-return]  # the codec refuses it in its own words
        else:
            request_id = exchange.headers.get(b"x-request-id", b"").decode("latin-1")
            given = {"channel": "admin", "message_id": request_id or new_id("msg"), "data": {}}
            exchange.given = given
        if not given.get("correlation_id"):
            # Made here and not further in, so that an error can quote it.
            given["correlation_id"] = new_id("corr")
        query = exchange.scope["query_string"]
        if values or query:
            try:
                self._url.bind(given, values, query)
            except Refused as refused:
                raise refused.as_error() from None
        return given  # type: ignore[no-any-return]


def _connect(rpc: Rpc, channel: grpc.aio.Channel) -> Callable[..., Any]:
    if rpc.descriptor.client_streaming:
        return channel.stream_unary
    return channel.unary_stream if rpc.descriptor.server_streaming else channel.unary_unary


class UnaryEndpoint(Endpoint):
    """An RPC with one reply."""

    async def serve(self, exchange: Exchange, values: tuple[str, ...]) -> None:
        """Answers with the reply as JSON; raises ClientGone when nobody waits for it any more."""
        call = await self._ask(exchange, values)
        with Presence(exchange):
            reply = await call
        headers = await self._cors.headers(exchange, reply.envelope.tenant) if b"origin" in exchange.headers else []
        await exchange.reply(200, self._reply.encode(reply), headers)


class StreamEndpoint(Endpoint):
    """An RPC with a stream of replies, told as server-sent events; each is named after the member of its oneof."""

    def __init__(self, rpc: Rpc, binding: Binding, edge: Edge) -> None:
        super().__init__(rpc, binding, edge)
        self._keep_alive_s = edge.keep_alive_s
        self._name = set_member(self.rpc.descriptor.output_type)

    async def serve(self, exchange: Exchange, values: tuple[str, ...]) -> None:
        """Answers with events until the RPC ends or the client goes, which cancels the RPC."""
        replies = await self._ask(exchange, values)
        await Relay(exchange, self._frame, self._cors, self._keep_alive_s).run(replies)

    def _frame(self, reply: Any) -> bytes:
        return frame(self._name(reply), self._reply.encode(reply))
