"""Trainings: asked for in a transaction, done as jobs, followed from anywhere."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import structlog
from salambot.nlu.v1 import intents_pb2

from servers.kit.changes import Changes
from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.kit.jobs import Jobs, Payload
from servers.kit.postgres.pool import Connection
from servers.kit.tenants import Tenants
from servers.nlu.intents.encoding import Encoder
from servers.nlu.intents.head import EVALUATED
from servers.nlu.intents.limits import check_trainable
from servers.nlu.intents.report import report_on
from servers.nlu.intents.store import FIRST, Store, place_of
from servers.nlu.intents.version import Publish, Result
from servers.nlu.intents.worker import train_apart

TOPIC = "nlu.intents"
"""What `Changes` calls the version in force."""

ATTEMPTS = 8
"""With the pauses between them some four minutes: longer than most restarts of what a training needs."""

_LONGEST_S = 1800.0
_READ = 0.3  # the share of a training after which the examples are read
_POLL_S = 0.2
_PAGE = 1000  # examples

_READING = intents_pb2.TRAINING_STAGE_READING
_EVALUATING = intents_pb2.TRAINING_STAGE_EVALUATING
_LEARNING = intents_pb2.TRAINING_STAGE_LEARNING

log = structlog.get_logger(__name__)


class Training:
    """Trains the intents of tenants, one after the other in each process; a crash of it costs an attempt."""

    def __init__(self, store: Store, jobs: Jobs, encoder: Encoder, changes: Changes, tenants: Tenants) -> None:
        self._store = store
        self._jobs = jobs
        self._encoder = encoder
        self._changes = changes
        self._tenants = tenants
        self._turn = asyncio.Semaphore(1)
        # While a roll-out brings another encoder, each process trains for its own.
        self._job = f"nlu.train_intents.{encoder.version}"
        jobs.register(self._job, self._work, seconds=_LONGEST_S)

    async def start(self, tenant: str, publish: Publish) -> int:
        """Asks for a training, or finds the one that goes on; its version. Raises InvalidInput or UpstreamError."""
        async with self._store.asking(tenant, self._encoder.version, publish) as (connection, number):
            await self._enqueue(tenant, number, connection)
        return number

    async def renew(self, tenant: str) -> None:
        """Trains and publishes for the encoder that is served now, unless that was tried; raises UpstreamError."""
        if await self._store.has_tried(tenant, self._encoder.version):
            return
        try:
            number = await self.start(tenant, Publish.ALWAYS)
            log.warning("intents of an earlier model are trained again", tenant=tenant, version=number)
        except InvalidInput as error:  # there are no examples any more
            log.warning("intents of an earlier model cannot be trained again", tenant=tenant, problem=error.message)

    async def watch(self, tenant: str, number: int) -> AsyncIterator[intents_pb2.TrainingProgress]:
        """The steps of a training until it ends, at least the last; raises NotFound."""
        told = None
        while True:
            version = await self._store.version(tenant, number)
            if told is None and version.unfinished:
                await self._enqueue(tenant, number)
            if told != (version.shown.state, version.stage, version.progress):
                told = version.shown.state, version.stage, version.progress
                yield version.step
            if not version.unfinished:
                return
            await asyncio.sleep(_POLL_S)

    async def _enqueue(self, tenant: str, number: int, connection: Connection | None = None) -> None:
        """Sees to it that a training has a job: the one it had may have died, or wait for an encoder that is gone."""
        payload = {"tenant": tenant, "version": number}
        await self._jobs.enqueue(self._job, payload, connection=connection, unique=str(number))

    async def _work(self, payload: Payload) -> None:
        tenant, number = payload["tenant"], payload["version"]
        async with self._turn:
            attempt = await self._store.begin(tenant, number)
            if attempt is None:  # removed, or done by another process
                return
            try:
                if attempt > ATTEMPTS:
                    raise InvalidInput(f"the training was cut off {ATTEMPTS} times; train again")
                await self._tenants.get(tenant)
                result = await self._train(tenant, number)
            except SalamError as error:
                if isinstance(error, UpstreamError | Timeout) and attempt < ATTEMPTS:
                    raise
                log.warning("intents could not be trained", tenant=tenant, version=number, problem=error.message)
                await self._store.fail(tenant, number, error.message)
            else:
                if await self._store.finish(tenant, number, result):
                    await self._changes.tell(tenant, TOPIC)

    async def _train(self, tenant: str, number: int) -> Result:
        examples = await self._examples(tenant)
        intents = [example.intent for example in examples]
        counts = Counter(intents)
        check_trainable(counts)
        told = _Told(self._store, tenant, number)
        vectors = await self._encoder.encode([example.text for example in examples], told.reading)
        trained = await train_apart(intents, vectors, told.training)
        return Result(
            head=trained.head.to_bytes(),
            report=await asyncio.to_thread(report_on, examples, trained.head.intents, trained.probabilities),
            encoder=self._encoder.version,
            examples=len(examples),
            intents=len(counts),
        )

    async def _examples(self, tenant: str) -> list[intents_pb2.IntentExample]:
        """All examples of a tenant, page by page: customers' messages come between."""
        examples: list[intents_pb2.IntentExample] = []
        place = FIRST
        while page := await self._store.examples(tenant, "", place, _PAGE):
            examples += page
            place = place_of(page[-1])
        return examples


class _Told:
    """Tells how far a training is, not more often than anybody looks."""

    def __init__(self, store: Store, tenant: str, number: int) -> None:
        self._advance = partial(store.advance, tenant, number)
        self._next = 0.0

    async def reading(self, share: float) -> None:
        """That this share of the examples is read."""
        await self._tell(_READING, share * _READ)

    async def training(self, share: float) -> None:
        """That this share of the training itself is done."""
        await self._tell(_EVALUATING if share < EVALUATED else _LEARNING, _READ + share * (1 - _READ))

    async def _tell(self, stage: intents_pb2.TrainingStage.ValueType, progress: float) -> None:
        if time.monotonic() >= self._next and progress < 1:
            await self._advance(stage, progress)
            self._next = time.monotonic() + _POLL_S
