"""OrchestratorService: the RPCs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from salambot.nlu.v1 import nlu_pb2
from salambot.orchestrator.v1 import orchestrator_pb2, orchestrator_service_pb2, orchestrator_service_pb2_grpc

from servers.kit import paging
from servers.kit.call import current
from servers.kit.errors import InvalidInput, Violation
from servers.kit.platform import Platform
from servers.orchestrator import retention
from servers.orchestrator.pipeline import Pipeline, Step
from servers.orchestrator.privacy import Privacy
from servers.orchestrator.resources import conversation_of, turn_of
from servers.orchestrator.retention import Retention
from servers.orchestrator.store import Store

MOST_ATTACHED = 20 * 1024 * 1024

_pb = orchestrator_service_pb2


class OrchestratorService(orchestrator_service_pb2_grpc.OrchestratorServiceServicer):
    """Answers messages and shows what was said."""

    def __init__(self, pipeline: Pipeline, store: Store) -> None:
        self._pipeline = pipeline
        self._store = store

    async def SendMessage(self, request: _pb.SendMessageRequest, context: object) -> _pb.SendMessageResponse:
        """See the contract."""
        _check(request.data)
        async with aclosing(self._pipeline.answer(request.data, stream=False)) as steps:
            async for step in steps:
                if isinstance(step, orchestrator_pb2.Reply):
                    return _pb.SendMessageResponse(data=step)
        raise AssertionError("an answer ended without its reply")

    async def StreamMessage(
        self, request: _pb.StreamMessageRequest, context: object
    ) -> AsyncIterator[_pb.StreamMessageResponse]:
        """See the contract."""
        _check(request.data)
        async with aclosing(self._pipeline.answer(request.data, stream=True)) as steps:
            async for step in steps:
                yield _pb.StreamMessageResponse(data=_event_of(step))

    async def ListConversations(
        self, request: _pb.ListConversationsRequest, context: object
    ) -> _pb.ListConversationsResponse:
        """See the contract."""
        size = paging.size(request.data.page_size)
        rows = await self._store.conversations(
            current().tenant, size + 1, paging.moment_and_key(request.data.page_token)
        )
        token = paging.token(rows[size - 1]["updated_at"], rows[size - 1]["id"]) if len(rows) > size else ""
        return _pb.ListConversationsResponse(
            data=_pb.ListConversationsOutput(
                conversations=[conversation_of(row) for row in rows[:size]], next_page_token=token
            )
        )

    async def ListTurns(self, request: _pb.ListTurnsRequest, context: object) -> _pb.ListTurnsResponse:
        """See the contract."""
        size = paging.size(request.data.page_size)
        rows = await self._store.turns(
            current().tenant, request.data.conversation_id, size + 1, paging.key(request.data.page_token)
        )
        token = paging.token(rows[size - 1]["id"]) if len(rows) > size else ""
        return _pb.ListTurnsResponse(
            data=_pb.ListTurnsOutput(turns=[turn_of(row) for row in rows[:size]], next_page_token=token)
        )


def _event_of(step: Step) -> _pb.MessageEvent:
    match step:
        case str():
            return _pb.MessageEvent(delta=step)
        case nlu_pb2.Analysis():
            return _pb.MessageEvent(analysis=step)
        case _pb.CitationList():
            return _pb.MessageEvent(citations=step)
        case _:
            return _pb.MessageEvent(reply=step)


def _check(data: orchestrator_pb2.MessageInput) -> None:
    """The rule that the schema's language cannot express: sizes have a sum."""
    if sum(item.size_bytes for item in data.attachments) > MOST_ATTACHED:
        rule = "together must not exceed 20 MB"
        raise InvalidInput(f"attachments {rule}", violations=[Violation("data.attachments", rule)])


@asynccontextmanager
async def open_servicer(platform: Platform) -> AsyncIterator[OrchestratorService]:
    """The servicer, and its nightly job."""
    store = Store(platform.postgres)
    purging = Retention(platform.tenants, store, platform.settings.retention_days)
    platform.jobs.schedule(retention.JOB, retention.NIGHTLY, purging.purge)
    privacy = Privacy(platform.tenants, platform.secret)
    yield OrchestratorService(Pipeline(platform, store, privacy), store)
