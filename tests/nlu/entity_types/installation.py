"""Processes that serve entity types over real stores, and clients of tenants on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import entity_types_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit import method
from servers.kit.call import serving, work
from servers.kit.envelope import complete
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.principal import Principal
from servers.kit.settings import read_settings
from servers.nlu.entity_types.catalogue import Catalogue, open_catalogue
from servers.nlu.entity_types.servicer import EntityTypeRpcs
from tests.awaiting import until
from tests.conftest import SECRET

_SCOPES = frozenset(options_pb2.Scope.values()) - {0}
_numbers = count()


class EntityTypeService(EntityTypeRpcs, nlu_service_pb2_grpc.NLUServiceServicer):
    """The part of NLUService that is tested here."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue


@dataclass
class Process:
    """A process that serves entity types."""

    platform: Platform
    catalogue: Catalogue


@dataclass
class Client:
    """Calls NLU as one tenant would; raises what the contract says."""

    tenant: str
    process: Process

    async def put(self, sent: entity_types_pb2.EntityType) -> entity_types_pb2.EntityType:
        data = nlu_service_pb2.PutEntityTypeInput(entity_type=sent)
        with self._call("PutEntityType"):
            return (await self._stub.PutEntityType(nlu_service_pb2.PutEntityTypeRequest(data=data))).data.entity_type

    async def get(self, name: str) -> entity_types_pb2.EntityType:
        request = nlu_service_pb2.GetEntityTypeRequest(data=nlu_service_pb2.GetEntityTypeInput(name=name))
        with self._call("GetEntityType"):
            return (await self._stub.GetEntityType(request)).data.entity_type

    async def all(self) -> list[entity_types_pb2.EntityType]:
        request = nlu_service_pb2.ListEntityTypesRequest(data=nlu_service_pb2.ListEntityTypesInput())
        with self._call("ListEntityTypes"):
            return list((await self._stub.ListEntityTypes(request)).data.entity_types)

    async def delete(self, name: str) -> bool:
        request = nlu_service_pb2.DeleteEntityTypeRequest(data=nlu_service_pb2.DeleteEntityTypeInput(name=name))
        with self._call("DeleteEntityType"):
            return (await self._stub.DeleteEntityType(request)).data.deleted

    async def values_in(self, text: str, process: Process | None = None) -> list[str]:
        """What a process finds in a message of the tenant's."""
        matcher = await (process or self.process).catalogue.matcher(self.tenant)
        return [mention.value for mention in matcher.find(text)]

    @property
    def _stub(self) -> nlu_service_pb2_grpc.NLUServiceAsyncStub:
        return nlu_service_pb2_grpc.NLUServiceStub(self.process.platform.channel)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        envelope = envelope_pb2.Envelope(tenant=self.tenant, channel=envelope_pb2.CHANNEL_ADMIN, message_id="m1")
        complete(envelope, locale="fr-MA")
        principal = Principal(self.tenant, "key", _SCOPES)
        with serving(work(method.find(f"/salambot.nlu.v1.NLUService/{name}"), principal, envelope, 30)):
            yield


@asynccontextmanager
async def process(home: Path, addresses: Addresses) -> AsyncIterator[Process]:
    """A process of an installation, once it hears the others."""
    async with open_platform(read_settings(home=home), addresses, SECRET, needs=()) as platform:
        catalogue = open_catalogue(platform)
        service = EntityTypeService(catalogue)
        nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(service, platform.handlers)
        await until(lambda: platform.changes.heard)
        yield Process(platform, catalogue)


async def new_client(served: Process) -> Client:
    """A client of a new tenant."""
    tenant = f"named-{next(_numbers)}"
    await served.platform.tenants.put(tenant, name=tenant, locale="fr-MA", settings={})
    return Client(tenant, served)
