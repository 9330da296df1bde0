"""Imports: asked for in a transaction, done as jobs, followed from anywhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import structlog
from salambot.rag.v1 import import_pb2

from servers.kit.envelope import new_id
from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.kit.jobs import Jobs, Payload
from servers.kit.postgres.pool import Connection
from servers.kit.tenants import Tenants
from servers.rag.imports.names import document_id
from servers.rag.imports.origins import Origins
from servers.rag.imports.store import DONE, FAILED, RUNNING, Import, Item, Outcome, Store
from servers.rag.imports.taking import OutOfReach, Taking
from servers.rag.knowledge import Knowledge, check_attributes
from servers.rag.sources import Source
from servers.rag.uploads import Uploads

ATTEMPTS = 8
"""Since an item was last done. With the pauses between them some four minutes: longer than most restarts."""

PATIENCE = 5
"""The attempt at which an item that cannot be reached is given up: after half a minute."""

MOST_ITEMS = 100_000

_JOB = "rag.import"
SWEEP = "rag.sweep_imports"
_LONGEST_S = 6 * 3600.0  # an attempt: the next one goes on where it stopped
_TAKERS = 2  # items of an import at once
_TURNS = 3  # items of all imports at once, in a process
_PAGE = 100
_POLL_S = 0.2
_TELL_S = 1.0  # how long what was listed may wait to be written down
_REPORTS_DAYS = 90

log = structlog.get_logger(__name__)


class Importer:
    """Takes documents from their origins, item by item; a crash costs the items that were being taken, for a moment.

    An import first lists its origin into items, then takes those that wait, in any order, until none does. An item is
    done when its document is published and its line says so; one that was cut off between the two finds its document
    unchanged. So an attempt goes on where the one before stopped, in whichever process.
    """

    def __init__(
        self,
        *,
        store: Store,
        jobs: Jobs,
        tenants: Tenants,
        origins: Origins,
        taking: Taking,
        knowledge: Knowledge,
        uploads: Uploads,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._tenants = tenants
        self._origins = origins
        self._taking = taking
        self._knowledge = knowledge
        self._uploads = uploads
        self._turns = asyncio.Semaphore(_TURNS)  # first come, first served: tenants take turns
        jobs.register(_JOB, self._work, seconds=_LONGEST_S)
        jobs.schedule(SWEEP, "* * * * *", self._sweep)

    async def start(
        self,
        tenant: str,
        source: str,
        origin: import_pb2.Origin,
        defaults: import_pb2.DocumentDefaults,
        *,
        prune: bool,
    ) -> import_pb2.ImportJob:
        """Begins an import; raises InvalidInput for an origin that cannot be read, Conflict, or UpstreamError."""
        check_attributes(defaults.attributes, "data.defaults.attributes")
        await self._origins.check(tenant, origin)
        job = import_pb2.ImportJob(id=new_id("import").removeprefix("import_"), source=source, origin=origin)
        credentials = self._origins.take_credentials(tenant, job)
        told = defaults.SerializeToString()
        async with self._store.starting(tenant, job, told, credentials, prune=prune) as (connection, begun):
            await self._enqueue(tenant, job.id, connection)
        return begun.job

    async def watch(self, tenant: str, import_id: str) -> AsyncIterator[import_pb2.ImportJob]:
        """An import whenever it changes, until it ends, at least once; raises NotFound."""
        told = None
        while True:
            job = (await self._store.find(tenant, import_id)).job
            if told is None and job.state == RUNNING:
                await self._enqueue(tenant, import_id)
            if job != told:
                told = job
                yield job
            if job.state != RUNNING:
                return
            await asyncio.sleep(_POLL_S)

    async def _enqueue(self, tenant: str, import_id: str, connection: Connection | None = None) -> None:
        """Sees to it that an import has a job: the one it had may have died."""
        await self._jobs.enqueue(_JOB, {"tenant": tenant, "import": import_id}, connection=connection, unique=import_id)

    async def _sweep(self, _payload: Payload) -> None:
        for tenant in await self._tenants.all():
            for running in await self._store.running(tenant):
                await self._enqueue(tenant, running)
            await self._store.forget_old(tenant, _REPORTS_DAYS)
            await self._uploads.remove_old(tenant)

    async def _work(self, payload: Payload) -> None:
        tenant, import_id = payload["tenant"], payload["import"]
        attempt = await self._store.begin(tenant, import_id)
        if attempt is None:  # cancelled, or done by another process
            return
        try:
            if attempt > ATTEMPTS:
                raise InvalidInput(f"the import was cut off {ATTEMPTS} times at the same place; start it again")
            await self._do(tenant, await self._store.find(tenant, import_id), patient=attempt < PATIENCE)
        except SalamError as error:
            if isinstance(error, UpstreamError | Timeout) and attempt < ATTEMPTS:
                raise
            log.warning("an import failed", tenant=tenant, id=import_id, problem=error.message)
            await self._store.end(tenant, import_id, FAILED, error.message)

    async def _do(self, tenant: str, job: Import, *, patient: bool) -> None:
        import_id, source = job.job.id, await self._origins.open(tenant, job)
        try:
            if not job.job.listed and not await self._list(tenant, job, source):
                return
            attempt = _Round(
                self._store, self._taking, self._turns, tenant=tenant, job=job, source=source, patient=patient
            )
            await attempt.run()
        finally:
            await source.close()
        if not await self._store.is_running(tenant, import_id):
            return
        problem = await self._prune(tenant, import_id) if job.prune else ""
        await self._store.end(tenant, import_id, DONE, problem)
        await self._origins.settle(tenant, (await self._store.find(tenant, import_id)).job)

    async def _prune(self, tenant: str, import_id: str) -> str:
        """Removes what the origin has no more; says why, where it does not."""
        job = (await self._store.find(tenant, import_id)).job
        if job.failed and job.origin.HasField("web"):
            return "nothing was removed: what seems gone may be behind a page that failed; import again"
        async with self._store.pruning(tenant, job) as connection:
            await self._knowledge.remove_hidden(tenant, connection)
        return ""

    async def _list(self, tenant: str, job: Import, source: Source) -> bool:
        """Writes the items of the origin down; false when the import was cancelled meanwhile."""
        import_id = job.job.id
        await self._store.list_anew(tenant, import_id)
        count, batch, told_at = 0, list[Item](), time.monotonic()
        async for entry in source.entries():
            count += 1
            if count > MOST_ITEMS:
                raise InvalidInput(f"the origin holds more than {MOST_ITEMS} documents; import it in parts")
            batch.append(Item(count, entry.name, document_id(job.job.source, entry.name)))
            if len(batch) == _PAGE or time.monotonic() - told_at > _TELL_S:  # pages of a site come one by one
                if not await self._store.add_items(tenant, import_id, batch):
                    return False
                batch, told_at = [], time.monotonic()
        if not count:
            raise InvalidInput("the origin holds no documents; look whether its address is right")
        await self._store.add_items(tenant, import_id, batch)
        await self._store.end_listing(tenant, import_id)
        return True


class _Round:
    """One attempt at all the items that wait."""

    def __init__(
        self,
        store: Store,
        taking: Taking,
        turns: asyncio.Semaphore,
        *,
        tenant: str,
        job: Import,
        source: Source,
        patient: bool,
    ) -> None:
        self._store = store
        self._taking = taking
        self._turns = turns
        self._tenant = tenant
        self._job = job
        self._source = source
        self._patient = patient
        self._unreached = ""  # why items were left for another attempt
        self._over = False

    async def run(self) -> None:
        """Takes the items, some at once; raises UpstreamError where some are left for another attempt."""
        after = 0
        while not self._over and (page := await self._store.pending(self._tenant, self._job.job.id, after, _PAGE)):
            after = page[-1].position
            items = iter(page)
            ended = await asyncio.gather(*(self._take(items) for _ in range(_TAKERS)), return_exceptions=True)
            for error in filter(None, ended):
                raise error
        if self._unreached:
            raise UpstreamError(self._unreached)

    async def _take(self, items: Iterator[Item]) -> None:
        for item in items:  # shared: each takes the next one
            async with self._turns:
                if self._over or not await self._store.is_running(self._tenant, self._job.job.id):
                    self._over = True
                    return
                try:
                    outcome = await self._outcome(item)
                    if outcome is not None:
                        await self._store.note(self._tenant, self._job.job.id, item.position, outcome)
                except BaseException:
                    self._over = True  # the others finish what they have begun
                    raise

    async def _outcome(self, item: Item) -> Outcome | None:
        try:
            return await self._taking.take(self._tenant, self._job, self._source, item)
        except OutOfReach as error:
            if self._patient:
                self._unreached = error.problem
                return None
            return Outcome(import_pb2.ITEM_OUTCOME_FAILED, error.problem)
