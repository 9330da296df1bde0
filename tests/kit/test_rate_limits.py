"""Limits counted in Redis, and what happens while it is away."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from redis.asyncio import Redis

from servers.kit.cache import Cache, RateLimiter
from servers.kit.chain import Chain
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from servers.kit.errors import RateLimited
from servers.kit.interceptors import server_interceptors
from servers.kit.platform import Platform
from servers.kit.principal import Principal
from tests.awaiting import until
from tests.kit.echo.wire import SOCKET, Echo

_keys = count()


def principal(**given: Any) -> Principal:
    """A client with a key of its own."""
    return Principal("atlas", f"limited{next(_keys)}", frozenset({1}), **given)


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[Cache]:
    """A cache that works."""
    cache = Cache.open(redis_url)
    yield cache
    await cache.close()


@pytest.fixture
async def mortal() -> AsyncIterator[str]:
    """A Redis of the test's own, which it may stop and kill."""
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        async with open_redis(Path(folder), silent) as url:
            yield url


async def _pid(url: str) -> int:
    async with Redis.from_url(url) as redis:
        return int((await redis.info("server"))["process_id"])


async def taken(limiter: RateLimiter, who: Principal, times: int) -> int:
    """How many of `times` calls were taken."""
    results = await asyncio.gather(*(limiter.take(who) for _ in range(times)), return_exceptions=True)
    assert all(result is None or isinstance(result, RateLimited) for result in results)
    return results.count(None)


async def refused(limiter: RateLimiter, who: Principal) -> RateLimited:
    """The refusal of the first call that is one too many."""
    try:
        while True:
            await limiter.take(who)
    except RateLimited as error:
        return error


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (6, 1), (60, 10), (600, 100)])
async def test_ten_seconds_worth_at_once_then_by_and_by(cache: Cache, per_minute: int, burst: int) -> None:
    limiter, who = RateLimiter(cache, per_minute, "allow"), principal()
    assert burst <= await taken(limiter, who, burst + 20) <= burst + 1  # one more may have come due meanwhile
    assert 0 < (await refused(limiter, who)).retry_after <= 60 / per_minute


async def test_one_who_waits_as_told_is_taken(cache: Cache) -> None:
    limiter, who = RateLimiter(cache, 60, "allow"), principal()
    await taken(limiter, who, 20)
    await asyncio.sleep((await refused(limiter, who)).retry_after)
    await limiter.take(who)


async def test_keys_are_counted_apart_and_over_all_processes(cache: Cache, redis_url: str) -> None:
    other = Cache.open(redis_url)
    first, second = RateLimiter(cache, 6, "allow"), RateLimiter(other, 6, "allow")
    who = principal()
    await first.take(who)
    with pytest.raises(RateLimited):
        await second.take(who)
    await second.take(principal())
    await other.close()


async def test_a_tenants_own_limit(cache: Cache) -> None:
    limiter = RateLimiter(cache, 60_000, "allow")
    assert await taken(limiter, principal(rate_limit=6), 5) == 1


async def test_a_busy_process_is_not_taken_for_a_dead_redis(cache: Cache) -> None:
    limiter = RateLimiter(cache, 6, "allow")
    assert await taken(limiter, principal(), 1000) == 1
    assert not cache.resting


async def test_over_the_limit_on_the_wire(
    echo: Echo, base_platform: Platform, cache: Cache, tenant: str, key: str
) -> None:
    chain = Chain(server_interceptors(base_platform.tenants, RateLimiter(cache, 6, "allow")))
    async with (
        echo.open(SOCKET, chain, tenant, key) as wire,
        grpc.aio.insecure_channel(f"127.0.0.1:{wire.port}") as channel,
    ):
        stub = echo.grpc.EchoServiceStub(channel)
        await stub.Echo(wire.request(), metadata=wire.outside)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Echo(wire.request(), metadata=wire.outside)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 1 <= int(dict(caught.value.trailing_metadata())["retry-after"]) <= 10
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        first, second = rpc_status.from_call(caught.value).details
        assert first.Unpack(info)
        assert second.Unpack(retry)
        assert (info.reason, info.domain) == ("rate_limited", "salambot")
        assert 9 < retry.retry_delay.ToTimedelta().total_seconds() <= 10


async def test_calls_between_components_are_not_counted(
    echo: Echo, base_platform: Platform, cache: Cache, tenant: str, key: str
) -> None:
    chain = Chain(server_interceptors(base_platform.tenants, RateLimiter(cache, 6, "allow")))
    async with echo.open(SOCKET, chain, tenant, key) as wire:

        async def answer(request: Any) -> Any:
            if request.data.text != "child":
                for _ in range(5):
                    await wire.stub.Echo(wire.pb.EchoRequest(data=wire.pb.EchoInput(text="child")))
            return wire.service.reply("done")

        wire.service.answer = answer
        await wire.stub.Echo(wire.request(), metadata=wire.outside)
        with pytest.raises(RateLimited):
            await wire.stub.Echo(wire.request(), metadata=wire.outside)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_without_redis_calls_pass_or_not_as_configured(mortal: str, how: signal.Signals) -> None:
    allowing, denying = Cache.open(mortal), Cache.open(mortal)
    allow, deny = RateLimiter(allowing, 6, "allow"), RateLimiter(denying, 6, "deny")
    first = principal()
    await allow.take(first)
    await deny.take(principal())
    await allowing.set("atlas", "key", b"value", 60)
    pid = await _pid(mortal)

    os.kill(pid, signal.SIGSTOP)  # it takes connections, and answers nothing
    began = time.monotonic()
    await allow.take(first)
    with pytest.raises(RateLimited) as caught:
        await deny.take(principal())
    assert time.monotonic() - began < 3
    assert caught.value.retry_after == 1.0
    began = time.monotonic()
    for _ in range(100):  # nobody waits for a timeout each time
        await allow.take(first)
        assert await allowing.get("atlas", "key") is None
        await allowing.set("atlas", "key", b"other", 60)
    assert time.monotonic() - began < 0.5

    os.kill(pid, signal.SIGCONT if how is signal.SIGSTOP else signal.SIGKILL)
    await until(lambda: not allowing.resting and not denying.resting)
    await deny.take(principal())
    assert await taken(allow, first, 2) < 2  # counting again
    for cache in (allowing, denying):
        await cache.close()


async def test_tenants_values_are_kept_apart_and_forgotten_in_time(cache: Cache) -> None:
    await cache.set("atlas", "colour", b"green", 0.1)
    assert await cache.get("atlas", "colour") == b"green"
    assert await cache.get("other", "colour") is None
    await asyncio.sleep(0.12)
    assert await cache.get("atlas", "colour") is None
