"""What changed for a tenant, told to every process: caches in process are brought up to date within a second.

Who changed something tells so after the commit, over Redis publish/subscribe. A message may be lost, and Redis may be
down: `Kept` then asks Postgres, at most once a second and only for what is in use.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from redis.exceptions import RedisError

from servers.kit.cache import Cache
from servers.kit.errors import SalamError

log = structlog.get_logger(__name__)

T = TypeVar("T")

CHANNEL = "salam:changes"

_UNHEARD_S = 1.0
"""How long a kept value is trusted while Redis is out of reach, in seconds."""
_HEARD_S = 15.0
"""The same while changes are told: a safety net under publish/subscribe, which promises no delivery."""
_PATIENCE_S = 0.2
"""How long a request waits for the check that it started itself, before it takes what is there."""
_QUIET_S = 1.0  # after this long without a word, Redis is asked whether it is there
_PAUSE_S = 0.5  # between attempts to subscribe


class Changes:
    """Tells and hears that something of a tenant changed; `topic` says what, for instance `entity_types`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._told: Counter[tuple[str, str]] = Counter()
        self._subscriptions = 0
        self._heard = False
        self._watchers: defaultdict[str, list[Callable[[str], None]]] = defaultdict(list)

    @property
    def heard(self) -> bool:
        """True while other processes are heard."""
        return self._heard

    def version(self, tenant: str, topic: str) -> int:
        """Grows with every change that was told, and whenever some may have been missed. In process, no I/O."""
        return self._subscriptions + self._told[tenant, topic]

    def watch(self, topic: str, heard: Callable[[str], None]) -> None:
        """Calls `heard` with the tenant at every change of `topic`."""
        self._watchers[topic].append(heard)

    async def tell(self, tenant: str, topic: str) -> None:
        """Says that `topic` of `tenant` changed; to be called after the commit. Never fails."""
        self._note(tenant, topic)
        await self._cache.ask(lambda: self._cache.redis.publish(CHANNEL, f"{tenant} {topic}"))

    def _note(self, tenant: str, topic: str) -> None:
        self._told[tenant, topic] += 1
        for heard in self._watchers.get(topic, ()):
            heard(tenant)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hears the other processes while the block runs."""
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._cache.redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    await self._hear(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                if self._heard:
                    log.warning("changes of other processes are not heard", error=type(error).__name__)
            finally:
                self._heard = False
            await asyncio.sleep(_PAUSE_S)

    async def _hear(self, subscription: Any) -> None:
        """Notes what is told until the connection is lost."""
        asked = False
        while True:
            message = await subscription.get_message(timeout=_QUIET_S)
            if message is None:
                if asked:
                    raise TimeoutError("Redis does not answer")
                await subscription.ping()
            elif message["type"] == "subscribe":  # also when the client connected anew by itself
                self._subscriptions += 1
                self._heard = True
            elif message["type"] == "message":
                tenant, _, topic = message["data"].decode(errors="replace").partition(" ")
                self._note(tenant, topic)
            asked = message is None


@dataclass(slots=True)
class Known(Generic[T]):
    """A value, the stamp and version it was loaded at, and when it was last found to be up to date."""

    value: T
    stamp: Hashable
    version: int
    checked_at: float


class Kept(Generic[T]):
    """A value for each tenant, loaded when it is first used and loaded anew after a change.

    `stamp` asks cheaply for something that differs whenever the value would; `load` makes the value. Requests are
    served the old value while a new one loads. When loading fails, the old value stays. The `most` tenants that were
    served last are kept.
    """

    def __init__(
        self,
        changes: Changes,
        topic: str,
        *,
        stamp: Callable[[str], Awaitable[Hashable]],
        load: Callable[[str], Awaitable[T]],
        most: int = 256,
    ) -> None:
        self._changes = changes
        self._topic = topic
        self._stamp = stamp
        self._load = load
        self._most = most
        self._entries: OrderedDict[str, Known[T]] = OrderedDict()
        self._loading: dict[str, asyncio.Task[T]] = {}
        changes.watch(topic, self._changed)

    async def get(self, tenant: str) -> T:
        """The tenant's value; raises what `load` raises while there is none yet."""
        known = self.at_hand(tenant)
        if known is not None:
            return known.value
        entry = self._entries.get(tenant)
        if entry is None:
            return await self.fresh(tenant)
        # Nobody was here for a while: worth a moment, so that the first message after a change has it already.
        await asyncio.wait({self._start(tenant)}, timeout=_PATIENCE_S)
        return self._entries.get(tenant, entry).value

    def at_hand(self, tenant: str) -> Known[T] | None:
        """The tenant's value where `get` would not wait for it; None where it would."""
        entry = self._entries.get(tenant)
        if entry is None:
            return None
        self._entries.move_to_end(tenant)
        return None if self._is_due(tenant, entry) and tenant not in self._loading else entry

    async def fresh(self, tenant: str) -> T:
        """The tenant's value with every change told until now; raises what `load` raises."""
        return await asyncio.shield(self._start(tenant))

    def _is_due(self, tenant: str, entry: Known[T]) -> bool:
        moved = entry.version != self._changes.version(tenant, self._topic)
        trusted_s = _HEARD_S if self._changes.heard and not moved else _UNHEARD_S
        return time.monotonic() - entry.checked_at >= trusted_s

    def _changed(self, tenant: str) -> None:
        if tenant in self._entries:
            self._start(tenant)

    def _start(self, tenant: str) -> asyncio.Task[T]:
        task = self._loading.get(tenant)
        if task is None:
            task = asyncio.create_task(self._bring_up_to_date(tenant), context=Context())  # of no call and no trace
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # maybe nobody waits for it
            self._loading[tenant] = task
        return task

    async def _bring_up_to_date(self, tenant: str) -> T:
        entry = self._entries.get(tenant)
        try:
            entry = await self._check(tenant, entry)
            while entry.version != self._changes.version(tenant, self._topic):  # it changed again meanwhile
                entry = await self._check(tenant, entry)
        except Exception as error:
            if entry is None:
                raise
            entry.checked_at = time.monotonic()
            unforeseen = None if isinstance(error, SalamError) else error
            log.warning("a change could not be loaded", tenant=tenant, topic=self._topic, exc_info=unforeseen)
        finally:
            del self._loading[tenant]
        return entry.value

    async def _check(self, tenant: str, entry: Known[T] | None) -> Known[T]:
        version = self._changes.version(tenant, self._topic)
        stamp = await self._stamp(tenant)
        unchanged = entry is not None and entry.stamp == stamp
        value = entry.value if entry is not None and unchanged else await self._load(tenant)
        self._entries[tenant] = fresh = Known(value, stamp, version, time.monotonic())
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return fresh
