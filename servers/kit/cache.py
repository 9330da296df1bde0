"""Redis as a cache and as a counter; it fails soft: without Redis there is no cache, and limits do as configured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Literal, TypeVar, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from servers.kit.errors import RateLimited
from servers.kit.principal import Principal

log = structlog.get_logger(__name__)

T = TypeVar("T")

_DOWN = (RedisError, OSError, asyncio.TimeoutError)
LIMIT_S = 1.0
"""How long a request waits for Redis; the client alone would try again, and wait as long again."""

_AT_ONCE = 56
_PAUSE_S = 1.0
"""After a failure Redis is asked this often whether it is back; no request waits for it meanwhile."""


class Cache:
    """Values by tenant and key, under `salam:<tenant>:<key>`: no key is without its tenant."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._recovery: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, url: str) -> Cache:
        """Connects at first use; a Redis that is down hurts nobody before.

        A command is tried once more, on a new connection, for the sake of those that a restart of Redis left behind.
        """
        retry = Retry(NoBackoff(), 1, (RedisConnectionError,))
        return cls(
            Redis.from_url(
                url,
                max_connections=_AT_ONCE + 8,  # the streams of events, and probes
                socket_timeout=0.5,
                socket_connect_timeout=0.5,
                retry=retry,
            )
        )

    @property
    def redis(self) -> Redis:
        """The client, for the streams and counters of the kit."""
        return self._redis

    @property
    def resting(self) -> bool:
        """True from a failure until Redis answers again."""
        return self._recovery is not None and not self._recovery.done()

    def failed(self, error: Exception) -> None:
        """Leaves Redis alone until it answers again."""
        if not self.resting:
            log.warning("Redis is out of reach", error=type(error).__name__)
            self._recovery = asyncio.create_task(self._recover(), context=Context())  # of no call and no trace

    async def _recover(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                await self.check()
            except _DOWN:
                continue
            log.info("Redis answers again")
            return

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers; None while it is out of reach.

        The time to answer counts from a place among those who ask: a busy process is no Redis that is down.
        """
        async with self._places:
            if self.resting:
                return None
            try:
                async with asyncio.timeout(LIMIT_S):
                    return await question()
            except _DOWN as error:
                self.failed(error)
                return None

    async def get(self, tenant: str, key: str) -> bytes | None:
        """The value, or None when there is none or Redis is down."""
        return await self.ask(lambda: cast(Awaitable[bytes | None], self._redis.get(f"salam:{tenant}:{key}")))

    async def set(self, tenant: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keeps a value for `ttl_s` seconds; does nothing while Redis is down."""
        await self.ask(lambda: self._redis.set(f"salam:{tenant}:{key}", value, px=int(ttl_s * 1000)))

    async def check(self) -> None:
        """Returns when Redis answers."""
        await self._redis.ping()

    async def close(self) -> None:
        """Closes the connections."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._redis.aclose()


# Generic cell rate algorithm: one key holds the time at which the next call would be on schedule. Redis' own clock, so
# that processes agree. Returns how many of the calls asked for are granted, and the milliseconds to wait where none is.
_GCRA = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
local interval, burst, asked = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local granted = math.min(asked, math.floor((now + burst - due) / interval))
if granted < 1 then return {0, math.ceil(due + interval - burst - now)} end
due = due + granted * interval
redis.call('SET', KEYS[1], due, 'PX', math.ceil(due - now) + 1000)
return {granted, 0}
"""

_BURST_MS = 10_000
"""A key may use ten seconds' worth of its limit at once."""

_LEASE_MS = 50
_LEASE_S = 1.0
_MOST_LEASES = 10_000


class RateLimiter:
    """Counts calls by API key in Redis, over all processes.

    A process asks for the calls of the next _LEASE_MS at once and counts those itself: one call at a time where limits
    are low, and no round trip a request where they are high.
    """

    def __init__(self, cache: Cache, per_minute: int, without_redis: Literal["allow", "deny"]) -> None:
        self._cache = cache
        self._per_minute = per_minute
        self._without_redis = without_redis
        self._script = cache.redis.register_script(_GCRA)
        self._leases: dict[str, tuple[int, float]] = {}

    async def take(self, principal: Principal) -> None:
        """Counts one call; raises RateLimited, with the seconds to wait, when the key made too many."""
        key = f"salam:{principal.tenant}:rate:{principal.key_id}"
        left, until = self._leases.get(key, (0, 0.0))
        if left and time.monotonic() < until:
            self._leases[key] = (left - 1, until)
            return
        interval_ms = 60_000 / (principal.rate_limit or self._per_minute)
        asked = max(1, int(_LEASE_MS / interval_ms))
        answer = await self._cache.ask(
            lambda: self._script(keys=[key], args=[interval_ms, max(_BURST_MS, interval_ms), asked])
        )
        if answer is None:
            if self._without_redis == "deny":
                raise RateLimited("requests cannot be counted at the moment; try again later", retry_after=_PAUSE_S)
            return
        granted, wait_ms = answer
        if not granted:
            raise RateLimited("too many requests with this API key", retry_after=wait_ms / 1000)
        if granted > 1:
            self._lease(key, granted - 1)

    def _lease(self, key: str, calls: int) -> None:
        if len(self._leases) >= _MOST_LEASES:
            self._leases.clear()
        left, until = self._leases.get(key, (0, 0.0))
        # Another request may have leased meanwhile: what it has left is kept.
        now = time.monotonic()
        self._leases[key] = (calls + (left if now < until else 0), now + _LEASE_S)
