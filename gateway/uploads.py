"""Files over REST: the body is the file, passed on piece by piece as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl

from salambot.common.v1 import envelope_pb2
from salambot.rag.v1 import rag_service_pb2

from gateway.endpoint import Endpoint
from gateway.errors import UnsupportedMediaType, new_id
from gateway.exchange import ClientGone, Exchange
from gateway.transcoding.contract import Binding, Contract, ContractError, Rpc, rpc_of
from gateway.transcoding.template import Template
from servers.kit.errors import InvalidInput, SalamError, UpstreamError, Violation

MOST_BYTES = 50 * 1024 * 1024
_PIECE = 1024 * 1024
_PATH = "/v1/rag/files"
_METHOD = "salambot.rag.v1.RAGService", "UploadFile"
_PARAMETERS = ("name", "tenant")


def upload_rpc(contract: Contract) -> Rpc:
    """The RPC that takes files, with the REST form that it has here: a stream of requests has none in the contract."""
    for service in contract.services:
        if service.full_name == _METHOD[0]:
            rpc = rpc_of(service.methods_by_name[_METHOD[1]])
            return replace(rpc, bindings=(Binding("POST", Template.parse(_PATH), with_body=True),))
    raise ContractError(f"the contract has no {_METHOD[0]}")


class UploadEndpoint(Endpoint):
    """`POST /v1/rag/files?name=guide.pdf`, the file as the body, of any type."""

    async def serve(self, exchange: Exchange, values: tuple[str, ...]) -> None:
        """Answers with the reply as JSON; raises ClientGone when the body breaks off."""
        given = _parameters(exchange)
        if exchange.headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
            raise UnsupportedMediaType("the body must be the file itself, not a form that holds it")
        body = _Body(exchange, given)
        metadata, timeout = exchange.metadata(self._proxies), exchange.timeout(self.rpc.timeout_s)
        try:
            reply = await self._call(body.requests(), metadata=metadata, timeout=timeout)
        except BaseException:
            # What broke the body is the cause, whatever the broken call made of it.
            if body.problem is not None:
                raise body.problem from None
            raise
        headers = await self._cors.headers(exchange, reply.envelope.tenant) if exchange.origin is not None else []
        await exchange.reply(200, self._reply.encode(reply), headers)


class _Body:
    """The body as requests; `problem` is what ended it too early."""

    def __init__(self, exchange: Exchange, given: dict[str, str]) -> None:
        self._exchange = exchange
        self._given = given
        self.problem: SalamError | ClientGone | None = None

    async def requests(self) -> AsyncIterator[rag_service_pb2.UploadFileRequest]:
        envelope = envelope_pb2.Envelope(
            tenant=self._given["tenant"],
            channel=envelope_pb2.CHANNEL_ADMIN,
            message_id=self._given["message_id"],
            correlation_id=self._given["correlation_id"],
        )
        first = rag_service_pb2.UploadFileInput(name=self._given["name"])
        yield rag_service_pb2.UploadFileRequest(envelope=envelope, data=first)
        try:
            async for piece in self._exchange.pieces(MOST_BYTES):
                for start in range(0, len(piece), _PIECE):
                    data = rag_service_pb2.UploadFileInput(content=piece[start : start + _PIECE])
                    yield rag_service_pb2.UploadFileRequest(data=data)
        except (SalamError, ClientGone) as problem:
            self.problem = problem
            raise UpstreamError("the body broke off") from None  # the call must fail: half a file is none


def _parameters(exchange: Exchange) -> dict[str, str]:
    try:
        query = dict(parse_qsl(exchange.scope["query_string"].decode("ascii"), strict_parsing=True, errors="strict"))
    except ValueError:
        query = {}
    request_id = exchange.headers.get(b"x-request-id", b"").decode("latin-1")
    given = {"tenant": query.get("tenant", ""), "channel": "admin", "message_id": request_id or new_id("msg")}
    exchange.given = given = {**given, "correlation_id": new_id("corr"), "name": query.get("name", "")}
    wrong = "name" if not given["name"] else next((name for name in query if name not in _PARAMETERS), "")
    if wrong:
        rule = "must name the file: ?name=guide.pdf" if wrong == "name" else "is not a query parameter here"
        raise InvalidInput(f"data.{wrong} {rule}", violations=[Violation(f"data.{wrong}", rule)])
    return given
