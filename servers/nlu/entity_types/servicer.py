"""The RPCs of entity types."""

from __future__ import annotations

from salambot.nlu.v1 import nlu_service_pb2

from servers.kit.call import current
from servers.nlu.entity_types.catalogue import Catalogue


class EntityTypeRpcs:
    """A part of NLUService, which sets `_catalogue`."""

    _catalogue: Catalogue

    async def PutEntityType(
        self, request: nlu_service_pb2.PutEntityTypeRequest, context: object
    ) -> nlu_service_pb2.PutEntityTypeResponse:
        """See the contract."""
        stored = await self._catalogue.put(current().tenant, request.data.entity_type)
        return nlu_service_pb2.PutEntityTypeResponse(data=nlu_service_pb2.PutEntityTypeOutput(entity_type=stored))

    async def GetEntityType(
        self, request: nlu_service_pb2.GetEntityTypeRequest, context: object
    ) -> nlu_service_pb2.GetEntityTypeResponse:
        """See the contract."""
        found = await self._catalogue.get(current().tenant, request.data.name)
        return nlu_service_pb2.GetEntityTypeResponse(data=nlu_service_pb2.GetEntityTypeOutput(entity_type=found))

    async def ListEntityTypes(
        self, request: nlu_service_pb2.ListEntityTypesRequest, context: object
    ) -> nlu_service_pb2.ListEntityTypesResponse:
        """See the contract."""
        types = await self._catalogue.list(current().tenant)
        return nlu_service_pb2.ListEntityTypesResponse(data=nlu_service_pb2.ListEntityTypesOutput(entity_types=types))

    async def DeleteEntityType(
        self, request: nlu_service_pb2.DeleteEntityTypeRequest, context: object
    ) -> nlu_service_pb2.DeleteEntityTypeResponse:
        """See the contract."""
        deleted = await self._catalogue.delete(current().tenant, request.data.name)
        return nlu_service_pb2.DeleteEntityTypeResponse(data=nlu_service_pb2.DeleteEntityTypeOutput(deleted=deleted))
