"""What stands behind both gateways: a bare grpc.aio server that answers SendMessage with one and the same reply."""

from __future__ import annotations

import asyncio

import grpc.aio
import uvloop
from salambot.common.v1 import envelope_pb2
from salambot.orchestrator.v1 import orchestrator_pb2, orchestrator_service_pb2, orchestrator_service_pb2_grpc

REPLY = orchestrator_pb2.Reply(
    reply_text="Vous pouvez consulter votre facture dans l'espace client.",
    language=envelope_pb2.LANGUAGE_FR,
    intent="billing_view",
    confidence=0.79,
    sentiment=envelope_pb2.SENTIMENT_NEUTRAL,
    urgency=envelope_pb2.URGENCY_LOW,
    model_used="extractive",
    tokens=24,
)
REPLY.citations.add(id="billing-fr", loc="#voir-facture", title="Facturation")
REPLY.timings.total_ms = 12.5


class Echo(orchestrator_service_pb2_grpc.OrchestratorServiceServicer):
    """Answers at once."""

    async def SendMessage(
        self, request: orchestrator_service_pb2.SendMessageRequest, context: object
    ) -> orchestrator_service_pb2.SendMessageResponse:
        """The request's envelope and the reply."""
        return orchestrator_service_pb2.SendMessageResponse(envelope=request.envelope, data=REPLY)


async def _main() -> None:
    server = grpc.aio.server()
    orchestrator_service_pb2_grpc.add_OrchestratorServiceServicer_to_server(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
