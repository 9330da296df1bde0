"""NLUService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from salambot.common.v1 import event_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.call import current
from servers.kit.events import Events
from servers.kit.inference.encoder import MODEL
from servers.kit.platform import Platform
from servers.nlu.bulk import read_in_bulk
from servers.nlu.cache import AnalysisCache
from servers.nlu.conditions import Conditions, ConditionsOf
from servers.nlu.entity_types.catalogue import Catalogue, open_catalogue
from servers.nlu.entity_types.servicer import EntityTypeRpcs
from servers.nlu.intents.intents import Intents
from servers.nlu.intents.servicer import IntentRpcs
from servers.nlu.labels import read_labels, word_of
from servers.nlu.reader import Reader


class NLUService(EntityTypeRpcs, IntentRpcs, nlu_service_pb2_grpc.NLUServiceServicer):
    """Reads messages and tells that they were read; keeps what tenants teach it."""

    def __init__(
        self,
        *,
        events: Events,
        reader: Reader,
        cache: AnalysisCache,
        conditions_of: ConditionsOf,
        intents: Intents,
        catalogue: Catalogue,
    ) -> None:
        self._events = events
        self._reader = reader
        self._cache = cache
        self._conditions_of = conditions_of
        self._intents = intents
        self._catalogue = catalogue

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

    def AnalyzeStream(
        self, request_iterator: AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest], context: Any
    ) -> AsyncIterator[nlu_service_pb2.AnalyzeStreamResponse]:
        """Reads messages as they come."""
        return read_in_bulk(request_iterator, self._read)

    async def _read(self, messages: Sequence[nlu_pb2.AnalyzeInput]) -> list[nlu_pb2.Analysis]:
        conditions = await self._conditions()
        analyses = await self._cache.read(messages, conditions, lambda unread: self._reader.read(unread, conditions))
        for analysis in analyses:
            self._events.emit(
                event_pb2.EVENT_TYPE_NLU_ANALYZED,
                {"language": word_of(analysis.language), "intent": analysis.intent, "confidence": analysis.confidence},
            )
        return analyses

    async def _conditions(self) -> Conditions:
        call = current()
        return await self._conditions_of(call.tenant, call.envelope.locale if call.envelope is not None else "")


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[NLUService]:
    """The servicer; raises OSError or ValueError when the model's labels cannot be read."""
    labels = read_labels(platform.settings.models / MODEL / "labels.json")
    intents = Intents.open(platform, labels.version)
    catalogue = open_catalogue(platform)
    reader = Reader(platform.inference, labels)
    cache = AnalysisCache(platform.cache, platform.secret, labels.version)
    conditions_of = ConditionsOf(platform.tenants, platform.secret, intents.heads, catalogue)
    await reader.read([nlu_pb2.AnalyzeInput(text="salam")])  # warm: the first customer does not wait for first calls
    try:
        yield NLUService(
            events=platform.events,
            reader=reader,
            cache=cache,
            conditions_of=conditions_of,
            intents=intents,
            catalogue=catalogue,
        )
    finally:
        await reader.close()
        await cache.close()
