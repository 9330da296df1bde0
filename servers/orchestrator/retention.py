"""Forgets turns when a tenant's retention has passed: 30 to 90 days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from servers.kit.tenants import Tenants
from servers.orchestrator.store import Store

JOB = "orchestrator.retention"
NIGHTLY = "17 3 * * *"
BATCH = 1000
SHORTEST_DAYS, LONGEST_DAYS = 30, 90

log = structlog.get_logger(__name__)


class Retention:
    """Goes through the tenants one by one, in batches that lock nothing for long."""

    def __init__(self, tenants: Tenants, store: Store, default_days: int) -> None:
        self._tenants = tenants
        self._store = store
        self._default_days = default_days

    async def purge(self, _payload: Mapping[str, Any]) -> None:
        """The nightly job."""
        for tenant in await self._tenants.all():
            settings = (await self._tenants.get(tenant)).settings
            asked = settings.get("retention_days")
            days = asked if isinstance(asked, int) else self._default_days
            days = min(max(days, SHORTEST_DAYS), LONGEST_DAYS)
            removed = 0
            while batch := await self._store.purge(tenant, days, BATCH):
                removed += batch
            if removed:
                log.info("turns forgotten", tenant=tenant, turns=removed, days=days)
