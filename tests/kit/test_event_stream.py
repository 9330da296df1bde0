"""Events reach the tenant's stream in Redis, and outlast an outage of it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from salambot.common.v1 import envelope_pb2, event_pb2

from servers.kit import events as subject
from servers.kit.cache import Cache
from servers.kit.call import serving, work
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from servers.kit.envelope import Envelope
from servers.kit.events import DROPPED, EMITTED, FIELD, Events, name_of
from servers.kit.method import find
from servers.kit.principal import Principal

NLU_ANALYZED = event_pb2.EVENT_TYPE_NLU_ANALYZED


@contextmanager
def call(tenant: str, message: str = "m1") -> Iterator[None]:
    """The call that events belong to."""
    envelope = Envelope(
        tenant=tenant, channel=envelope_pb2.CHANNEL_FACEBOOK, message_id=message, correlation_id="corr_1"
    )
    method = find("/salambot.nlu.v1.NLUService/Analyze")
    with serving(work(method, Principal(tenant, "k", frozenset()), envelope, 5)):
        yield


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A Redis of the test's own, which it may kill."""
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        async with open_redis(Path(folder), silent) as url:
            yield url


@pytest.fixture
async def events(url: str) -> AsyncIterator[Events]:
    """Events, written in the background."""
    cache = Cache.open(url)
    events = Events(cache)
    async with events.running():
        yield events
    await cache.close()


async def stream(url: str, tenant: str, least: int) -> list[dict[str, Any]]:
    """The events of the tenant's stream, once there are `least`."""
    async with Redis.from_url(url) as redis, asyncio.timeout(8):
        while True:
            try:
                entries = await redis.xrange(f"salam:{tenant}:events")
            except (RedisError, OSError):
                entries = []
            if len(entries) >= least:
                return [orjson.loads(fields[FIELD.encode()]) for _, fields in entries]
            await asyncio.sleep(0.02)


def test_names_are_those_of_the_contract() -> None:
    names = {name_of(value) for value in event_pb2.EventType.values() if value}
    assert names == {
        "nlu.analyzed",
        "rag.retrieved",
        "router.generated",
        "social.ingested",
        "incident.opened",
        "ticket.created",
        "admin.policy_updated",
        "obs.alert_triggered",
        "ext.suggestion_proposed",
        "webchat.message_sent",
    }


async def test_an_event_says_whose_message_it_belongs_to(events: Events, url: str) -> None:
    before = EMITTED.labels("nlu.analyzed")._value.get()
    with call("atlas"):
        events.emit(NLU_ANALYZED, {"intent": "billing_view"})
    (entry,) = await stream(url, "atlas", 1)
    assert entry.pop("id").startswith("evt_")
    assert entry.pop("occurred_at").endswith("Z")
    assert entry == {
        "type": "nlu.analyzed",
        "tenant": "atlas",
        "channel": "facebook",
        "message_id": "m1",
        "correlation_id": "corr_1",
        "data": {"intent": "billing_view"},
    }
    assert EMITTED.labels("nlu.analyzed")._value.get() == before + 1
    async with Redis.from_url(url) as redis:
        assert await redis.keys("*events*") == [b"salam:atlas:events"]


async def test_events_keep_their_order_and_outlast_a_restart(events: Events, url: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.shutdown(nosave=True)  # the supervisor starts it again
    for number in range(1200):
        with call("atlas", f"m{number}"):
            events.emit(NLU_ANALYZED, {})
        if not number % 100:
            await asyncio.sleep(0.01)
    entries = await stream(url, "atlas", 1200)
    assert [entry["message_id"] for entry in entries] == [f"m{number}" for number in range(1200)]
    assert len({entry["id"] for entry in entries}) == 1200


async def test_what_waits_is_written_at_the_end(url: str) -> None:
    cache = Cache.open(url)
    events = Events(cache)
    async with events.running():
        with call("atlas"):
            events.emit(NLU_ANALYZED, {})
    assert len(await stream(url, "atlas", 1)) == 1
    await cache.close()


async def test_a_full_buffer_drops_the_oldest(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_BUFFER", 3)
    cache = Cache.open(url)
    events, before = Events(cache), DROPPED._value.get()
    for number in range(5):
        with call("atlas", f"m{number}"):
            events.emit(NLU_ANALYZED, {})
    assert DROPPED._value.get() == before + 2
    await events.flush()
    assert [entry["message_id"] for entry in await stream(url, "atlas", 3)] == ["m2", "m3", "m4"]
    await cache.close()


async def test_one_stream_that_refuses_holds_up_no_other(events: Events, url: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.set("salam:broken:events", "not a stream")
    before = DROPPED._value.get()
    for tenant in ("broken", "atlas"):
        with call(tenant):
            events.emit(NLU_ANALYZED, {})
    assert len(await stream(url, "atlas", 1)) == 1
    assert DROPPED._value.get() == before + 1
    assert not events._cache.resting
