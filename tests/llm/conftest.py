"""A model server on a socket, and the LLM component over the kit's channel with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from salambot.common.v1 import envelope_pb2
from salambot.llm.v1 import llm_service_pb2_grpc
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.call import serving, work
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.envelope import Envelope, complete
from servers.kit.inprocess import LocalHandlers
from servers.kit.method import find
from servers.kit.platform import Platform
from servers.kit.principal import Principal
from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.backend import Traits
from servers.llm.servicer import open_servicer
from tests.conftest import SECRET
from tests.llm.model_server import ModelServer, model_server


@pytest.fixture
async def models() -> AsyncIterator[ModelServer]:
    """A model server."""
    async with model_server() as server:
        yield server


@pytest.fixture
async def backend(models: ModelServer) -> AsyncIterator[OpenAICompatible]:
    """The adapter to it."""
    backend = OpenAICompatible(Traits("openai"), models.url)
    yield backend
    await backend.close()


class Reads(nlu_service_pb2_grpc.NLUServiceServicer):
    """An NLU that takes everything for English, and keeps what it was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def Analyze(self, request: Any, context: Any) -> Any:
        self.texts.append(request.data.text)
        return nlu_service_pb2.AnalyzeResponse(data=nlu_pb2.Analysis(language=envelope_pb2.LANGUAGE_EN))


@pytest.fixture
def nlu() -> Reads:
    return Reads()


@pytest.fixture
async def llm(
    base_platform: Platform, tenant: str, models: ModelServer, nlu: Reads
) -> AsyncIterator[llm_service_pb2_grpc.LLMServiceStub]:
    """The component with the model server before the extractive backend, called on behalf of `tenant`."""
    handlers = LocalHandlers(base_platform.chain)
    channel = Channel(handlers, "", Signer(SECRET))
    platform = type(base_platform)(
        **{
            name: getattr(base_platform, name)
            for name in (
                "addresses",
                "chain",
                "postgres",
                "cache",
                "events",
                "tenants",
                "blobs",
                "jobs",
                "secret",
                "changes",
            )
        },
        settings=base_platform.settings.model_copy(update={"llm_url": models.url}),
        handlers=handlers,
        channel=channel,
    )
    nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(nlu, handlers)
    async with open_servicer(platform) as servicer:
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(servicer, handlers)
        envelope = Envelope(tenant=tenant, channel=envelope_pb2.CHANNEL_WEBCHAT, message_id="m1")
        complete(envelope, locale="fr-MA")
        method = find("/salambot.llm.v1.LLMService/Generate")
        with serving(work(method, Principal(tenant, "test", frozenset({1}), internal=True), envelope, 20)):
            yield llm_service_pb2_grpc.LLMServiceStub(channel)
