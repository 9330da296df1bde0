"""How rare words are in each tenant's knowledge: counted in a job some time after a change, kept in every process."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import structlog

from servers.kit.changes import Changes, Kept
from servers.kit.errors import SalamError
from servers.kit.jobs import Jobs, Payload
from servers.kit.postgres import Postgres
from servers.rag.lexical.statistics import UNKNOWN, Statistics

TOPIC: Final = "rag_statistics"
JOB: Final = "rag.count_terms"

DELAY_S: Final = 5.0
"""Changes within these seconds are counted together, the first time."""

PAUSE_S: Final = 60.0
"""Likewise from then on: counting costs half as much as all else that an import asks of Postgres."""

log = structlog.get_logger(__name__)


class Counts:
    """The statistics of tenants."""

    def __init__(self, postgres: Postgres, jobs: Jobs, changes: Changes) -> None:
        self._postgres = postgres
        self._jobs = jobs
        self._changes = changes
        self._kept: Kept[Statistics] = Kept(changes, TOPIC, stamp=self._stamp, load=self._load)
        self._asked: set[str] = set()  # tenants whose passages this process had counted
        jobs.register(JOB, self.count)

    async def changed(self, tenant: str) -> None:
        """Has the tenant's passages counted soon. Never fails: old figures decide about order alone."""
        delay = PAUSE_S if tenant in self._asked else DELAY_S
        try:
            if await self._jobs.enqueue(JOB, {"tenant": tenant}, delay=delay, unique="all"):
                self._asked.add(tenant)
        except SalamError as error:
            log.warning("terms are not counted", tenant=tenant, problem=error.message)

    async def of(self, tenant: str) -> Statistics:
        """What was counted last; `UNKNOWN` where nothing was, and while it cannot be read."""
        try:
            return await self._kept.get(tenant)
        except SalamError as error:
            log.warning("terms weigh what they do anywhere", tenant=tenant, problem=error.message)
            return UNKNOWN

    async def count(self, payload: Payload) -> None:
        """The job: counts the passages of the payload's tenant."""
        tenant = str(payload["tenant"])
        await self._postgres.call(tenant, "rag_count_terms")
        await self._changes.tell(tenant, TOPIC)

    async def _stamp(self, tenant: str) -> datetime | None:
        rows = await self._postgres.call(tenant, "rag_counted_at")
        return rows[0]["counted_at"] if rows else None

    async def _load(self, tenant: str) -> Statistics:
        rows = await self._postgres.call(tenant, "rag_counted")
        if not rows:
            return UNKNOWN
        [row] = rows
        return Statistics(row["passages"], np.array(row["terms"], np.int32), np.array(row["frequencies"], np.int32))
