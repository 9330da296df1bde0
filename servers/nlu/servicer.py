"""NLUService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from salambot.common.v1 import event_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.call import current
from servers.kit.platform import Platform
from servers.kit.text.policy import Policies
from servers.nlu.labels import language_of_locale, read_labels, word_of
from servers.nlu.reader import Reader


class NLUService(nlu_service_pb2_grpc.NLUServiceServicer):
    """Reads messages and tells that they were read."""

    def __init__(self, platform: Platform, reader: Reader, policies: Policies) -> None:
        self._events = platform.events
        self._reader = reader
        self._policies = policies

    async def Analyze(self, request: nlu_service_pb2.AnalyzeRequest, context: Any) -> nlu_service_pb2.AnalyzeResponse:
        """Reads one message."""
        (analysis,) = await self._read([request.data])
        return nlu_service_pb2.AnalyzeResponse(data=analysis)

    async def AnalyzeBatch(
        self, request: nlu_service_pb2.AnalyzeBatchRequest, context: Any
    ) -> nlu_service_pb2.AnalyzeBatchResponse:
        """Reads several messages."""
        analyses = await self._read(request.data.messages)
        return nlu_service_pb2.AnalyzeBatchResponse(data=nlu_service_pb2.AnalyzeBatchOutput(analyses=analyses))

    async def _read(self, messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        call = current()
        masking = await self._policies.of(call.tenant)
        locale = call.envelope.locale if call.envelope is not None else ""
        analyses = await self._reader.read(messages, masking, language_of_locale(locale))
        for analysis in analyses:
            self._events.emit(
                event_pb2.EVENT_TYPE_NLU_ANALYZED,
                {"language": word_of(analysis.language), "intent": analysis.intent, "confidence": analysis.confidence},
            )
        return analyses


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[NLUService]:
    """The servicer; raises OSError or ValueError when the model's labels cannot be read."""
    labels = read_labels(platform.settings.models / "nlu" / "labels.json")
    reader = Reader(platform.inference, labels)
    await reader.read([nlu_pb2.AnalyzeInput(text="salam")])  # warm: the first customer does not wait for first calls
    yield NLUService(platform, reader, Policies(platform.tenants, platform.secret))
