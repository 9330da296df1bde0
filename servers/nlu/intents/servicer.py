"""The RPCs of a tenant's own intents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from salambot.nlu.v1 import intents_pb2, nlu_service_pb2

from servers.kit import paging
from servers.kit.call import current
from servers.kit.errors import InvalidInput, Violation
from servers.nlu.conditions import Conditions
from servers.nlu.intents.examples import as_stored
from servers.nlu.intents.intents import Intents
from servers.nlu.intents.store import FIRST, Place, place_of
from servers.nlu.intents.version import Publish, Version, number_of
from servers.nlu.reader import Reader

_LAST = 2**31 - 1  # comes behind every number


class IntentRpcs:
    """The part of NLUService that keeps and trains intents."""

    _intents: Intents
    _reader: Reader

    async def _conditions(self) -> Conditions:
        """Those under which messages of the call's tenant are read."""
        raise NotImplementedError

    async def PutIntentExamples(
        self, request: nlu_service_pb2.PutIntentExamplesRequest, context: object
    ) -> nlu_service_pb2.PutIntentExamplesResponse:
        """See the contract."""
        examples = await self._as_stored(request.data.examples)
        added, total = await self._intents.store.add(current().tenant, examples)
        return nlu_service_pb2.PutIntentExamplesResponse(
            data=nlu_service_pb2.PutIntentExamplesOutput(added=added, total=total)
        )

    async def ListIntentExamples(
        self, request: nlu_service_pb2.ListIntentExamplesRequest, context: object
    ) -> nlu_service_pb2.ListIntentExamplesResponse:
        """See the contract."""
        asked, size = request.data, paging.size(request.data.page_size)
        after = _place_in(asked.page_token)
        examples, total = await self._intents.store.page(current().tenant, asked.intent, after, size + 1)
        token = _token_of(place_of(examples[size - 1])) if len(examples) > size else ""
        return nlu_service_pb2.ListIntentExamplesResponse(
            data=nlu_service_pb2.ListIntentExamplesOutput(examples=examples[:size], next_page_token=token, total=total)
        )

    async def DeleteIntentExamples(
        self, request: nlu_service_pb2.DeleteIntentExamplesRequest, context: object
    ) -> nlu_service_pb2.DeleteIntentExamplesResponse:
        """See the contract."""
        asked = request.data
        if sum(map(bool, (asked.ids, asked.intent, asked.all))) != 1:
            rule = "must hold exactly one of ids, intent and all"
            raise InvalidInput(f"the request {rule}", violations=[Violation("data", rule)])
        deleted = await self._intents.store.remove(current().tenant, asked.ids, asked.intent, everything=asked.all)
        return nlu_service_pb2.DeleteIntentExamplesResponse(
            data=nlu_service_pb2.DeleteIntentExamplesOutput(deleted=deleted)
        )

    async def TrainIntents(
        self, request: nlu_service_pb2.TrainIntentsRequest, context: object
    ) -> AsyncIterator[nlu_service_pb2.TrainIntentsResponse]:
        """See the contract."""
        tenant, training = current().tenant, self._intents.training
        number = await training.start(tenant, Publish.UNLESS_WORSE if request.data.publish else Publish.NEVER)
        async for step in training.watch(tenant, number):
            yield nlu_service_pb2.TrainIntentsResponse(data=nlu_service_pb2.TrainIntentsOutput(progress=step))

    async def WatchIntentTraining(
        self, request: nlu_service_pb2.WatchIntentTrainingRequest, context: object
    ) -> AsyncIterator[nlu_service_pb2.WatchIntentTrainingResponse]:
        """See the contract."""
        number = number_of(request.data.version)
        async for step in self._intents.training.watch(current().tenant, number):
            yield nlu_service_pb2.WatchIntentTrainingResponse(
                data=nlu_service_pb2.WatchIntentTrainingOutput(progress=step)
            )

    async def EvaluateIntents(
        self, request: nlu_service_pb2.EvaluateIntentsRequest, context: object
    ) -> nlu_service_pb2.EvaluateIntentsResponse:
        """See the contract."""
        tenant = current().tenant
        version = await self._version(request.data.version)
        examples = await self._as_stored(request.data.examples)
        report = await self._intents.evaluate(tenant, version, examples)
        return nlu_service_pb2.EvaluateIntentsResponse(
            data=nlu_service_pb2.EvaluateIntentsOutput(report=report, version=version.shown.version)
        )

    async def ListIntentVersions(
        self, request: nlu_service_pb2.ListIntentVersionsRequest, context: object
    ) -> nlu_service_pb2.ListIntentVersionsResponse:
        """See the contract."""
        size = paging.size(request.data.page_size)
        before = _number_in(request.data.page_token)
        found = await self._intents.store.versions(current().tenant, before, size + 1)
        token = paging.token(str(found[size - 1].number)) if len(found) > size else ""
        shown = [version.shown for version in found[:size]]
        return nlu_service_pb2.ListIntentVersionsResponse(
            data=nlu_service_pb2.ListIntentVersionsOutput(versions=shown, next_page_token=token)
        )

    async def GetIntentVersion(
        self, request: nlu_service_pb2.GetIntentVersionRequest, context: object
    ) -> nlu_service_pb2.GetIntentVersionResponse:
        """See the contract."""
        version = await self._version(request.data.version)
        return nlu_service_pb2.GetIntentVersionResponse(
            data=nlu_service_pb2.GetIntentVersionOutput(version=version.shown)
        )

    async def PublishIntents(
        self, request: nlu_service_pb2.PublishIntentsRequest, context: object
    ) -> nlu_service_pb2.PublishIntentsResponse:
        """See the contract."""
        tenant, intents = current().tenant, self._intents
        version = await intents.store.publish(tenant, number_of(request.data.version), intents.encoder.version)
        await intents.heads.changed(tenant)
        return nlu_service_pb2.PublishIntentsResponse(data=nlu_service_pb2.PublishIntentsOutput(version=version.shown))

    async def RollBackIntents(
        self, request: nlu_service_pb2.RollBackIntentsRequest, context: object
    ) -> nlu_service_pb2.RollBackIntentsResponse:
        """See the contract."""
        tenant, intents = current().tenant, self._intents
        version: Version | None = None
        if request.data.unpublish:
            await intents.store.unpublish(tenant)
        else:
            version = await intents.store.roll_back(tenant, intents.encoder.version)
        await intents.heads.changed(tenant)
        return nlu_service_pb2.RollBackIntentsResponse(
            data=nlu_service_pb2.RollBackIntentsOutput(version=None if version is None else version.shown)
        )

    async def DeleteIntentVersion(
        self, request: nlu_service_pb2.DeleteIntentVersionRequest, context: object
    ) -> nlu_service_pb2.DeleteIntentVersionResponse:
        """See the contract."""
        deleted = await self._intents.store.remove_version(current().tenant, number_of(request.data.version))
        return nlu_service_pb2.DeleteIntentVersionResponse(
            data=nlu_service_pb2.DeleteIntentVersionOutput(deleted=deleted)
        )

    async def _version(self, name: str) -> Version:
        """The version of this name, or the published one without a name; raises NotFound."""
        return await self._intents.store.version(current().tenant, number_of(name))

    async def _as_stored(self, sent: Sequence[intents_pb2.IntentExample]) -> list[intents_pb2.IntentExample]:
        return await as_stored(self._reader, await self._conditions(), sent)


def _token_of(place: Place) -> str:
    intent, beginning, id_ = place
    return paging.token(f"{intent} {id_} {beginning}")


def _place_in(token: str) -> Place:
    if not token:
        return FIRST
    match paging.key(token).split(" ", 2):
        case [intent, id_, beginning]:
            return intent, beginning, id_
        case _:
            raise _refusal()


def _number_in(token: str) -> int:
    key = paging.key(token)
    if not key:
        return _LAST
    if not key.isascii() or not key.isdecimal() or len(key) > 9:
        raise _refusal()
    return int(key)


def _refusal() -> InvalidInput:
    rule = "must be a next_page_token"
    return InvalidInput("the page token is not one of ours", violations=[Violation("data.page_token", rule)])
