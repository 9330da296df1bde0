"""NLU as one process serves it, and its tenants as they call it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import grpc.aio
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import intents_pb2, nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc

from servers.kit.changes import Changes
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.errors import UpstreamError
from servers.kit.health import Health
from servers.kit.inference.interfaces import Inference, Tensor
from servers.kit.inprocess import LocalHandlers
from servers.kit.jobs import Jobs
from servers.kit.platform import Platform
from servers.kit.server import Server
from servers.nlu.intents.intents import Intents
from servers.nlu.intents.reading import IntentReading
from servers.nlu.servicer import open_servicer
from tests.conftest import SECRET

_numbers = count()


class Unreachable(Inference):
    """A model server that is down."""

    async def infer(self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Raises UpstreamError."""
        raise UpstreamError("the model server is down")


@dataclass(frozen=True)
class Process:
    """A process that serves NLU, with a platform of its own over the shared stores; `stub` and `socket` call it over gRPC."""

    platform: Platform
    intents: Intents
    stub: Any
    socket: grpc.aio.Channel

    async def read(self, tenant: str, text: str) -> IntentReading | None:
        """What the tenant's own intents say."""
        published = await self.intents.heads.in_force(tenant)
        if published is None:
            return None
        (reading,) = published.read(await self.intents.encoder.encode([text]))
        return reading


@asynccontextmanager
async def process(shared: Platform, *, working: bool = True) -> AsyncIterator[Process]:
    """Opens NLU; it does jobs too, unless not `working`."""
    handlers = LocalHandlers(shared.chain)
    changes = Changes(shared.cache)
    jobs = Jobs(shared.postgres, shared.addresses.database)
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(Channel(handlers, "", Signer(SECRET)))
        platform = replace(shared, handlers=handlers, channel=channel, jobs=jobs, changes=changes)
        await stack.enter_async_context(changes.running())
        servicer = await stack.enter_async_context(open_servicer(platform))
        nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(servicer, handlers)
        server = Server(shared.chain)
        nlu_service_pb2_grpc.add_NLUServiceServicer_to_server(servicer, server.grpc)
        await server.start("127.0.0.1", 0, [], Health([], {}))
        stack.push_async_callback(server.stop, 0)
        wire = Channel(LocalHandlers(shared.chain), f"127.0.0.1:{server.port}", Signer(SECRET))
        await stack.enter_async_context(wire)
        socket = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
        if working:
            await stack.enter_async_context(jobs.running())
        yield Process(platform, servicer._intents, nlu_service_pb2_grpc.NLUServiceStub(wire), socket)


@dataclass(frozen=True)
class Client:
    """A tenant's client of one process."""

    process: Process
    tenant: str
    key: str
    _numbers: Any = field(default_factory=count)

    def at(self, other: Process) -> Client:
        """The same tenant at another process."""
        return replace(self, process=other)

    async def analyze(self, text: str, **fields: Any) -> nlu_pb2.Analysis:
        """What is read in a message."""
        request = nlu_service_pb2.AnalyzeRequest(
            envelope=self.envelope(), data=nlu_pb2.AnalyzeInput(text=text, **fields)
        )
        return (await self.process.stub.Analyze(request, metadata=self.metadata)).data  # type: ignore[no-any-return]

    async def put(self, examples: Sequence[intents_pb2.IntentExample]) -> nlu_service_pb2.PutIntentExamplesOutput:
        """Uploads examples."""
        return await self._call("PutIntentExamples", examples=examples)  # type: ignore[no-any-return]

    async def page(self, **asked: Any) -> nlu_service_pb2.ListIntentExamplesOutput:
        """A page of examples."""
        return await self._call("ListIntentExamples", **asked)  # type: ignore[no-any-return]

    async def train(self, *, publish: bool = False) -> intents_pb2.IntentVersion:
        """Trains to the end; the version in the last step."""
        steps = [step async for step in self.training(publish=publish)]
        return steps[-1].version

    async def training(self, *, publish: bool = False) -> AsyncGenerator[intents_pb2.TrainingProgress, None]:
        """The steps of a training."""
        async with aclosing(self._stream("TrainIntents", publish=publish)) as steps:
            async for step in steps:
                yield step

    async def watching(self, version: str) -> AsyncGenerator[intents_pb2.TrainingProgress, None]:
        """The steps of a training that somebody asked for."""
        async with aclosing(self._stream("WatchIntentTraining", version=version)) as steps:
            async for step in steps:
                yield step

    async def get(self, version: str) -> intents_pb2.IntentVersion:
        """A version."""
        return (await self._call("GetIntentVersion", version=version)).version  # type: ignore[no-any-return]

    async def publish(self, version: str) -> intents_pb2.IntentVersion:
        """Puts a version in force."""
        return (await self._call("PublishIntents", version=version)).version  # type: ignore[no-any-return]

    async def roll_back(self, **asked: Any) -> str:
        """The version in force afterwards."""
        return (await self._call("RollBackIntents", **asked)).version.version  # type: ignore[no-any-return]

    async def call(self, name: str, /, **asked: Any) -> Any:
        """The output of any RPC."""
        return await self._call(name, **asked)

    async def read(self, text: str) -> IntentReading | None:
        """What the tenant's own intents say."""
        return await self.process.read(self.tenant, text)

    async def _call(self, name: str, /, **asked: Any) -> Any:
        return (await getattr(self.process.stub, name)(self._request(name, asked), metadata=self.metadata)).data

    async def _stream(self, name: str, **asked: Any) -> AsyncGenerator[intents_pb2.TrainingProgress, None]:
        call = getattr(self.process.stub, name)(self._request(name, asked), metadata=self.metadata)
        async with aclosing(call):
            async for answer in call:
                yield answer.data.progress

    def _request(self, name: str, asked: dict[str, Any]) -> Any:
        data = getattr(nlu_service_pb2, f"{name}Input")(**asked)
        return getattr(nlu_service_pb2, f"{name}Request")(envelope=self.envelope(), data=data)

    def envelope(self) -> envelope_pb2.Envelope:
        """That of a message with an id of its own."""
        return envelope_pb2.Envelope(
            tenant=self.tenant, channel=envelope_pb2.CHANNEL_ADMIN, message_id=f"m{next(self._numbers)}"
        )

    def rest(self, **data: Any) -> dict[str, Any]:
        """The body and the headers of a REST request."""
        envelope = {"tenant": self.tenant, "channel": "admin", "message_id": f"m{next(self._numbers)}"}
        return {"json": {**envelope, "data": data}, "headers": {"authorization": f"Bearer {self.key}"}}

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """The tenant's credential."""
        return [("authorization", f"Bearer {self.key}")]


async def new_client(served: Process) -> Client:
    """A client of a tenant of its own."""
    tenant, tenants = f"intents-{next(_numbers)}", served.platform.tenants
    await tenants.put(tenant, name="Dar Zitoun", locale="fr-MA", settings={})
    scopes = [options_pb2.SCOPE_CHAT, options_pb2.SCOPE_KNOWLEDGE]
    return Client(served, tenant, await tenants.create_key(tenant, name="test", scopes=scopes))
