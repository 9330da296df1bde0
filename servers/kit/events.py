"""Events of the contract, told to the rest of the system through a Redis stream per tenant.

`emit` never blocks and never fails: events are buffered, written in one pipeline by a background task, and dropped,
counted, when Redis stays away longer than the buffer lasts. They are facts for dashboards and learning; what must not
be lost is written to Postgres in the transaction it belongs to.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError
from salambot.common.v1 import envelope_pb2, event_pb2

from servers.kit.cache import Cache
from servers.kit.call import current
from servers.kit.envelope import new_id

log = structlog.get_logger(__name__)

EMITTED = Counter("salambot_events_total", "Events emitted.", ("type",))
DROPPED = Counter("salambot_events_dropped_total", "Events dropped because Redis was away.")

FIELD = "event"
"""The one field of an entry: the event as JSON."""

_BUFFER = 10_000
_BATCH = 500
_KEPT_PER_TENANT = 10_000
# Adds events to a stream: one command for all of them, since packing a command costs more than running it.
_ADD = "for i = 3, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', ARGV[2], ARGV[i]) end"
_PAUSE_S = 0.05  # events gather this long, so that a busy process writes them by the hundred


@cache
def name_of(event: event_pb2.EventType.ValueType) -> str:
    """`nlu.analyzed` for EVENT_TYPE_NLU_ANALYZED."""
    return event_pb2.EventType.Name(event).removeprefix("EVENT_TYPE_").lower().replace("_", ".", 1)


@cache
def _emitted(name: str) -> Counter:
    return EMITTED.labels(name)


@cache
def _word_of(channel: envelope_pb2.Channel.ValueType) -> str:
    return envelope_pb2.Channel.Name(channel).removeprefix("CHANNEL_").lower()


class Events:
    """The outgoing side. `running` writes them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._waiting: deque[tuple[str, bytes]] = deque()

    def emit(self, event: event_pb2.EventType.ValueType, data: Mapping[str, Any]) -> None:
        """Tells what happened to the message of the current call. `data` holds facts, never a customer's text."""
        envelope = current().envelope
        if envelope is None:
            return
        name = name_of(event)
        _emitted(name).inc()
        if len(self._waiting) >= _BUFFER:
            self._waiting.popleft()
            DROPPED.inc()
        event_json = orjson.dumps(
            {
                "id": new_id("evt"),
                "type": name,
                "tenant": envelope.tenant,
                "channel": _word_of(envelope.channel),
                "message_id": envelope.message_id,
                "correlation_id": envelope.correlation_id,
                "occurred_at": datetime.now(UTC),
                "data": data,
            },
            option=orjson.OPT_UTC_Z,
        )
        self._waiting.append((f"salam:{envelope.tenant}:events", event_json))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes events as they come while the block runs, and what is left at its end."""
        stopped = asyncio.Event()
        writing = asyncio.create_task(self._write(stopped))
        try:
            yield
        finally:
            # Not cancelled: redis-py can swallow that in the middle of a pipeline.
            stopped.set()
            await writing

    async def _write(self, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            await asyncio.sleep(_PAUSE_S)
            await self.flush()
        await self.flush()

    async def flush(self) -> None:
        """Writes what is waiting, as long as Redis takes it."""
        while self._waiting and not self._cache.resting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            streams: dict[str, list[bytes]] = defaultdict(list)
            for stream, event in batch:
                streams[stream].append(event)
            pipeline = self._cache.redis.pipeline(transaction=False)
            for stream, events in streams.items():
                pipeline.eval(_ADD, 1, stream, _KEPT_PER_TENANT, FIELD, *events)
            try:
                results = await pipeline.execute(raise_on_error=False)
            except (RedisError, OSError) as error:
                self._cache.failed(error)
                self._waiting.extendleft(reversed(batch))
            except asyncio.CancelledError:
                self._waiting.extendleft(reversed(batch))  # written by the last flush; readers fold duplicates
                raise
            else:
                # Redis is there and will not have these (its memory is full): it would not have them later either.
                for events, result in zip(streams.values(), results, strict=True):
                    if isinstance(result, RedisError):
                        DROPPED.inc(len(events))
                        log.warning("Redis refused events", events=len(events), error=str(result))
