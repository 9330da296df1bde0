"""The heads in force: each tenant's, in process, exchanged without a pause when another version is published."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from servers.kit.changes import Changes, Kept
from servers.kit.errors import SalamError
from servers.nlu.intents.head import Head
from servers.nlu.intents.reading import Published
from servers.nlu.intents.store import Store
from servers.nlu.intents.training import TOPIC
from servers.nlu.intents.version import InForce, name_of

log = structlog.get_logger(__name__)

MOST_BYTES = 512 << 20
"""Memory for the heads that a process keeps, those that read last: 2.9 kB for each example of theirs."""

_MOST_TENANTS = 10_000  # of which it is known what is in force, mostly nothing
_PATIENCE_S = 0.5
"""How long a message waits for a head that is not in process yet."""


class TenantIntents:
    """Finds the version of each tenant that is in force."""

    def __init__(self, changes: Changes, store: Store, encoder: str, renew: Callable[[str], Awaitable[None]]) -> None:
        """`encoder` is the version of the vectors that heads read; `renew` is told of a tenant whose head reads others."""
        self._changes = changes
        self._store = store
        self._encoder = encoder
        self._renew = renew
        self._heads: OrderedDict[tuple[str, int], Head] = OrderedDict()
        self._in_force: Kept[InForce | None] = Kept(
            changes, TOPIC, stamp=store.in_force, load=self._prepare, most=_MOST_TENANTS
        )

    async def in_force(self, tenant: str) -> Published | None:
        """What reads the tenant's messages now; None without a version in force.

        Never fails: while the head is out of reach there is none, and the built-in intents answer alone.
        """
        known = self._in_force.at_hand(tenant)
        if known is not None and known.value is None:  # most tenants: they need not pay for a timer
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                version = await self._in_force.get(tenant)
                if version is None:
                    return None
                return Published(name_of(version.number), await self._head(tenant, version.number))
        except (SalamError, TimeoutError) as error:
            log.warning("the intents of a tenant are out of reach", tenant=tenant, problem=str(error) or "no answer")
            return None

    async def changed(self, tenant: str) -> None:
        """Tells every process that another version is in force, and uses it in this one. Never fails."""
        await self._changes.tell(tenant, TOPIC)
        try:
            await self._in_force.fresh(tenant)
        except SalamError as error:
            log.warning("a published version cannot be loaded yet", tenant=tenant, problem=error.message)

    async def _prepare(self, tenant: str) -> InForce | None:
        """What is in force, its head loaded before it counts: until then messages are read by the one before."""
        version = await self._store.in_force(tenant)
        if version is None:
            return None
        if version.encoder != self._encoder:
            await self._renew(tenant)
            return None
        await self._head(tenant, version.number)
        return version

    async def _head(self, tenant: str, number: int) -> Head:
        key = tenant, number  # never another head: versions do not change, and names are not given twice
        head = self._heads.get(key)
        if head is None:
            content = await self._store.head(tenant, number)
            head = await asyncio.to_thread(Head.from_bytes, content)  # up to 20 MB
        self._heads[key] = head
        self._heads.move_to_end(key)
        while len(self._heads) > 1 and sum(kept.size for kept in self._heads.values()) > MOST_BYTES:
            self._heads.popitem(last=False)
        return head
