"""The floor of a gateway: a raw ASGI app that does the same with `json` and one stub, and nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc.aio
import uvloop
from salambot.common.v1 import envelope_pb2
from salambot.orchestrator.v1 import orchestrator_service_pb2, orchestrator_service_pb2_grpc

from gateway.server import serving

_HEADERS = [(b"content-type", b"application/json")]


class Floor:
    """Reads the body, fills the request by hand, calls, writes the reply by hand. No checks, no errors."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = orchestrator_service_pb2_grpc.OrchestratorServiceStub(channel)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            body += event["body"]
            if not event.get("more_body"):
                break
        given = json.loads(body)
        request = orchestrator_service_pb2.SendMessageRequest()
        envelope = request.envelope
        envelope.schema_version = given["schema_version"]
        envelope.tenant = given["tenant"]
        envelope.channel = envelope_pb2.Channel.Value(f"CHANNEL_{given['channel'].upper()}")
        envelope.message_id = given["message_id"]
        envelope.correlation_id = given["correlation_id"]
        envelope.timestamp.FromJsonString(given["timestamp"])
        envelope.locale = given["locale"]
        request.data.user_text = given["data"]["user_text"]
        response = await self._stub.SendMessage(request, timeout=30)
        reply, told = response.data, response.envelope
        answer = {
            "schema_version": told.schema_version,
            "tenant": told.tenant,
            "channel": envelope_pb2.Channel.Name(told.channel)[8:].lower(),
            "message_id": told.message_id,
            "correlation_id": told.correlation_id,
            "timestamp": told.timestamp.ToJsonString(),
            "locale": told.locale,
            "data": {
                "reply_text": reply.reply_text,
                "language": envelope_pb2.Language.Name(reply.language)[9:].lower(),
                "intent": reply.intent,
                "confidence": reply.confidence,
                "sentiment": envelope_pb2.Sentiment.Name(reply.sentiment)[10:].lower(),
                "urgency": envelope_pb2.Urgency.Name(reply.urgency)[8:].lower(),
                "citations": [{"id": c.id, "loc": c.loc, "title": c.title, "url": c.url} for c in reply.citations],
                "model_used": reply.model_used,
                "tokens": reply.tokens,
                "timings": {"total_ms": reply.timings.total_ms},
            },
        }
        out = json.dumps(answer).encode()
        headers = [*_HEADERS, (b"content-length", str(len(out)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": out})


async def _main() -> None:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{sys.argv[1]}")
    async with channel, serving(Floor(channel), "127.0.0.1", 0, 1) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
