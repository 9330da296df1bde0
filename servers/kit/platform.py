"""Everything a component may use, opened once at the composition root and closed in the opposite order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from servers.kit.blobs import Blobs
from servers.kit.cache import Cache, RateLimiter
from servers.kit.chain import Chain
from servers.kit.changes import Changes
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.errors import InternalError, UpstreamError
from servers.kit.events import Events
from servers.kit.health import Health, Probe
from servers.kit.inference.coalescing import Coalescing
from servers.kit.inference.interfaces import Inference
from servers.kit.inference.onnx import OnnxInference
from servers.kit.inference.triton import TritonInference
from servers.kit.inprocess import LocalHandlers
from servers.kit.interceptors import server_interceptors
from servers.kit.jobs import Jobs
from servers.kit.postgres import Postgres
from servers.kit.settings import Settings
from servers.kit.tenants import Tenants
from servers.kit.vectors import VectorStore
from servers.kit.vectors.stores import VectorStores

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services behind a process are, embedded or not.

    `triton` is a gRPC address `host:port`; None serves the models with ONNX Runtime in process, and `without_triton`
    says why.
    """

    database: str
    redis: str
    triton: str | None = None
    without_triton: str = ""


@dataclass(slots=True)
class Platform:
    """What components share. A dependency that none of the running components needs is not opened."""

    settings: Settings
    addresses: Addresses
    chain: Chain
    handlers: LocalHandlers
    channel: Channel
    postgres: Postgres
    cache: Cache
    events: Events
    changes: Changes
    tenants: Tenants
    blobs: Blobs
    jobs: Jobs
    secret: bytes
    _inference: Inference | None = None
    _vectors: VectorStores | None = None
    health: Health | None = field(default=None)

    @property
    def inference(self) -> Inference:
        """The model server."""
        return _opened(self._inference, "inference")

    @property
    def vectors(self) -> VectorStore:
        """The vector store of tenants that were never moved."""
        return self.vector_stores.get(self.vector_stores.default)

    @property
    def vector_stores(self) -> VectorStores:
        """The vector stores, by name."""
        return _opened(self._vectors, "vectors")

    def checks(self) -> dict[str, Probe]:
        """A check for each dependency that is open."""
        checks: dict[str, Probe] = {"postgres": self.postgres.check, "redis": self.cache.check}
        if self._inference is not None:
            checks["inference"] = self._models_ready
        if self._vectors is not None:
            checks["vectors"] = self._vectors.check
        return checks

    async def _models_ready(self) -> None:
        for folder in self.settings.models.iterdir():
            if (folder / "config.pbtxt").exists() and not await self.inference.ready(folder.name):
                raise UpstreamError(f"the model {folder.name} is not served")

    async def readiness(self) -> dict[str, str]:
        """Component → `serving`, `not built yet`, or what it lacks."""
        return self.health.report() if self.health is not None else {}


@asynccontextmanager
async def open_platform(
    settings: Settings, addresses: Addresses, secret: str, needs: Collection[str]
) -> AsyncIterator[Platform]:
    """Opens what `needs` names, and what every process has: Postgres, for credentials, and Redis, for limits.

    Raises UpstreamError when Postgres does not answer.
    """
    async with AsyncExitStack() as stack:
        signer = Signer(secret)
        cache = Cache.open(addresses.redis)
        stack.push_async_callback(cache.close)
        postgres = await Postgres.open(addresses.database, settings.database_pool)
        stack.push_async_callback(postgres.close)
        tenants = Tenants(postgres, signer)
        limiter = RateLimiter(cache, settings.rate_limit_per_minute, settings.rate_limit_without_redis)
        chain = Chain(server_interceptors(tenants, limiter))
        handlers = LocalHandlers(chain)
        channel = Channel(handlers, settings.peers, signer)
        stack.push_async_callback(channel.close)
        events = Events(cache)
        await stack.enter_async_context(events.running())
        changes = Changes(cache)
        await stack.enter_async_context(changes.running())
        platform = Platform(
            settings=settings,
            addresses=addresses,
            chain=chain,
            handlers=handlers,
            channel=channel,
            postgres=postgres,
            cache=cache,
            events=events,
            changes=changes,
            tenants=tenants,
            blobs=Blobs.open(settings.blobs_url, settings.home / "blobs"),
            secret=secret.encode(),
            jobs=Jobs(postgres, addresses.database),
        )
        if "inference" in needs:
            platform._inference = await _inference(settings, addresses)
            stack.push_async_callback(platform._inference.close)
        if "vectors" in needs:
            platform._vectors = VectorStores.of(settings, postgres)
            stack.push_async_callback(platform._vectors.close)
        yield platform


async def _inference(settings: Settings, addresses: Addresses) -> Inference:
    if addresses.triton is None:
        return await OnnxInference.open(settings.models)
    return Coalescing(TritonInference(addresses.triton))


def _opened(value: T | None, name: str) -> T:
    if value is None:
        raise InternalError(f"{name} was not opened: the component's line in the registry does not name it")
    return value
