"""The orchestrator with its own store and the real LLM component, beside an NLU and a RAG that say what tests tell them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import llm_service_pb2_grpc
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc
from salambot.orchestrator.v1 import orchestrator_pb2, orchestrator_service_pb2, orchestrator_service_pb2_grpc
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.inprocess import LocalHandlers
from servers.kit.jobs import Jobs
from servers.kit.platform import Platform
from servers.llm.servicer import open_servicer as open_llm
from servers.orchestrator.servicer import open_servicer
from servers.orchestrator.store import Store
from tests.conftest import SECRET

FR = envelope_pb2.LANGUAGE_FR


class NLU(nlu_service_pb2_grpc.NLUServiceServicer):
    """Says `analysis` of every message, or raises `error`."""

    def __init__(self) -> None:
        self.analysis = nlu_pb2.Analysis(
            language=FR,
            intent="billing_view",
            confidence=0.9,
            sentiment=envelope_pb2.SENTIMENT_NEUTRAL,
            urgency=envelope_pb2.URGENCY_LOW,
        )
        self.masked: str | None = None
        self.error: Exception | None = None
        self.texts: list[str] = []

    async def Analyze(self, request: Any, context: Any) -> Any:
        self.texts.append(request.data.text)
        if self.error is not None:
            raise self.error
        analysis = nlu_pb2.Analysis()
        analysis.CopyFrom(self.analysis)
        analysis.masked_text = self.masked if self.masked is not None else request.data.text
        return nlu_service_pb2.AnalyzeResponse(data=analysis)


class RAG(rag_service_pb2_grpc.RAGServiceServicer):
    """Finds `passages`, each with its score, after `seconds`; or raises `error`."""

    def __init__(self) -> None:
        self.passages = [("Vos factures sont dans l'espace client.", 0.8)]
        self.seconds = 0.0
        self.error: Exception | None = None
        self.asked: list[rag_pb2.RetrieveInput] = []

    async def Retrieve(self, request: Any, context: Any) -> Any:
        self.asked.append(request.data)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        found = rag_pb2.RetrieveOutput()
        for number, (text, score) in enumerate(self.passages):
            found.passages.append(text)
            found.scores.append(score)
            found.ids.append(f"kb_{number}")
            found.languages.append(FR)
            found.citations.add(id=f"kb_{number}", loc=f"#section-{number}")
        return rag_service_pb2.RetrieveResponse(data=found)


@dataclass
class Orchestrator:
    """A client of the orchestrator for one tenant, and what stands beside it."""

    stub: Any
    nlu: NLU
    rag: RAG
    store: Store
    jobs: Jobs
    tenant: str
    key: str
    timeout: float | None = None
    _numbers: Any = field(default_factory=count)

    @property
    def metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.key}")]

    def envelope(self, message_id: str = "", channel: int = envelope_pb2.CHANNEL_FACEBOOK) -> envelope_pb2.Envelope:
        return envelope_pb2.Envelope(
            tenant=self.tenant, channel=channel, message_id=message_id or f"m{next(self._numbers)}"
        )

    async def send(
        self, text: str = "Où est ma facture ?", message_id: str = "", **data: Any
    ) -> orchestrator_pb2.Reply:
        """Sends a message."""
        request = orchestrator_service_pb2.SendMessageRequest(
            envelope=self.envelope(message_id), data=orchestrator_pb2.MessageInput(user_text=text, **data)
        )
        return (await self.stub.SendMessage(request, metadata=self.metadata, timeout=self.timeout)).data

    def stream(self, text: str = "Où est ma facture ?", message_id: str = "", **data: Any) -> Any:
        """Sends a message to be answered in steps."""
        request = orchestrator_service_pb2.StreamMessageRequest(
            envelope=self.envelope(message_id), data=orchestrator_pb2.MessageInput(user_text=text, **data)
        )
        return self.stub.StreamMessage(request, metadata=self.metadata)

    async def turns(self, conversation: str, **page: Any) -> orchestrator_service_pb2.ListTurnsOutput:
        """A page of turns."""
        data = orchestrator_service_pb2.ListTurnsInput(conversation_id=conversation, **page)
        request = orchestrator_service_pb2.ListTurnsRequest(envelope=self.envelope(), data=data)
        return (await self.stub.ListTurns(request, metadata=self.metadata)).data

    async def conversations(self, **page: Any) -> orchestrator_service_pb2.ListConversationsOutput:
        """A page of conversations."""
        data = orchestrator_service_pb2.ListConversationsInput(**page)
        request = orchestrator_service_pb2.ListConversationsRequest(envelope=self.envelope(), data=data)
        return (await self.stub.ListConversations(request, metadata=self.metadata)).data


@pytest.fixture
async def orchestrator(base_platform: Platform, tenant: str) -> AsyncIterator[Orchestrator]:
    """The orchestrator, for a tenant of the test's own."""
    handlers = LocalHandlers(base_platform.chain)
    channel = Channel(handlers, "", Signer(SECRET))
    jobs = Jobs(base_platform.postgres, base_platform.addresses.database)
    platform = replace(base_platform, handlers=handlers, channel=channel, jobs=jobs)
    nlu, rag = NLU(), RAG()
    async with open_llm(platform) as llm, open_servicer(platform) as servicer:
        nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(nlu, handlers)
        rag_service_pb2_grpc.add_RAGServiceServicer_to_server(rag, handlers)
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(llm, handlers)
        orchestrator_service_pb2_grpc.add_OrchestratorServiceServicer_to_server(servicer, handlers)
        key = await base_platform.tenants.create_key(tenant, name="test", scopes=[1, 3])
        stub = orchestrator_service_pb2_grpc.OrchestratorServiceStub(channel)
        yield Orchestrator(stub, nlu, rag, Store(base_platform.postgres), jobs, tenant, key)
    await asyncio.sleep(0)
