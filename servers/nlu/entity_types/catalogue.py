"""The entity types of tenants: checked, stored, and compiled for those whose messages are read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from salambot.nlu.v1 import entity_types_pb2

from servers.kit.changes import Changes, Kept
from servers.kit.errors import InvalidInput, NotFound, SalamError, Violation
from servers.kit.platform import Platform
from servers.nlu.entity_types.matcher import NOTHING, Matcher
from servers.nlu.entity_types.patterns import PatternError, compile_pattern
from servers.nlu.entity_types.store import Store

log = structlog.get_logger(__name__)

TOPIC = "entity_types"

BUILT_IN = frozenset({
    "phone", "email", "url", "amount", "order_number", "invoice_number", "ticket_number", "account_number", "date",
    "time", "city", "iban", "rib", "card_number", "cin", "person", "size", "quantity",
})  # fmt: skip
"""Types that are found for every tenant: their names are taken."""

_MOST_MATCHERS = 128


class Catalogue:
    """What tenants' customers name. A change is in force here when it is answered, elsewhere within a second."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._matchers: Kept[Matcher] = Kept(
            changes, TOPIC, stamp=store.revisions, load=self._compile, most=_MOST_MATCHERS
        )

    async def put(self, tenant: str, sent: entity_types_pb2.EntityType) -> entity_types_pb2.EntityType:
        """Defines a type; as stored, without its values. Raises InvalidInput."""
        check(sent)
        stored = await self._store.put(tenant, sent)
        await self._changed(tenant)
        return stored

    async def get(self, tenant: str, name: str) -> entity_types_pb2.EntityType:
        """One type with its values; raises NotFound."""
        found = await self._store.find(tenant, name)
        if found is None:
            raise NotFound(f"there is no entity type {name}")
        return found

    async def list(self, tenant: str) -> Sequence[entity_types_pb2.EntityType]:
        """All types by name, without their values."""
        return await self._store.all(tenant, values=False)

    async def delete(self, tenant: str, name: str) -> bool:
        """Removes a type; false when there is none."""
        deleted = await self._store.delete(tenant, name)
        await self._changed(tenant)
        return deleted

    async def matcher(self, tenant: str) -> Matcher:
        """Finds the tenant's types in messages; finds nothing while they cannot be known: messages are read all the same."""
        try:
            return await self._matchers.get(tenant)
        except SalamError as error:
            log.warning("entity types unknown, none is found", tenant=tenant, problem=str(error))
            return NOTHING

    async def _changed(self, tenant: str) -> None:
        await self._changes.tell(tenant, TOPIC)
        try:
            await self._matchers.fresh(tenant)
        except SalamError as error:  # stored all the same
            log.warning("entity types cannot be compiled yet", tenant=tenant, problem=str(error))

    async def _compile(self, tenant: str) -> Matcher:
        types = await self._store.all(tenant, values=True)
        return await asyncio.to_thread(Matcher, types)


def check(sent: entity_types_pb2.EntityType) -> None:
    """Raises InvalidInput for a definition that the schema allows and NLU cannot use."""
    if sent.name in BUILT_IN:
        problem = f"`{sent.name}` is a built-in type; choose another name"
        raise InvalidInput(problem, violations=[Violation("data.entity_type.name", problem)])
    if not sent.values and not sent.patterns:
        problem = "must have values or patterns"
        raise InvalidInput(f"an entity type {problem}", violations=[Violation("data.entity_type", problem)])
    refused = []
    for place, pattern in enumerate(sent.patterns):
        try:
            compile_pattern(pattern)
        except PatternError as error:
            refused.append(Violation(f"data.entity_type.patterns[{place}]", f"RE2 refuses it: {error}"))
    if refused:
        listed = "; ".join(f"{violation.field}: {violation.description}" for violation in refused[:3])
        raise InvalidInput(listed, violations=refused)


def open_catalogue(platform: Platform) -> Catalogue:
    """The catalogue over the platform's stores."""
    return Catalogue(Store(platform.postgres), platform.changes)
