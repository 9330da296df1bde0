"""Changes told between processes, and values kept up to date by them: with Redis, without it, and while loading fails."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from servers.kit import changes
from servers.kit.cache import Cache
from servers.kit.changes import CHANNEL, Changes, Kept
from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis
from tests.awaiting import until


class Shelf:
    """Numbers of tenants that lie elsewhere; counts how often it is asked, and may be slow or shut."""

    def __init__(self) -> None:
        self.numbers = {"one": 1, "two": 2}
        self.stamps = self.loads = 0
        self.shut = False
        self.open = asyncio.Event()
        self.open.set()

    async def stamp(self, tenant: str) -> int:
        self.stamps += 1
        if self.shut:
            raise OSError("the shelf is shut")
        return self.numbers[tenant]

    async def load(self, tenant: str) -> int:
        self.loads += 1
        await self.open.wait()
        return self.numbers[tenant]

    def kept(self, listener: Changes, most: int = 256) -> Kept[int]:
        return Kept(listener, "numbers", stamp=self.stamp, load=self.load, most=most)


@asynccontextmanager
async def joined(url: str) -> AsyncIterator[Changes]:
    """Changes as another process has them."""
    cache = Cache.open(url)
    listener = Changes(cache)
    async with listener.running():
        yield listener
    await cache.close()


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[tuple[Changes, Changes]]:
    """Two processes that hear each other."""
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(joined(redis_url)) for _ in range(2)]
        await until(lambda: here.heard and there.heard)
        yield here, there


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_a_change_is_known_here_at_once_and_there_by_and_by(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    here, there = pair
    kept_here, kept_there = shelf.kept(here), shelf.kept(there)
    assert [await kept.get(tenant) for kept in (kept_here, kept_there) for tenant in ("one", "two")] == [1, 2, 1, 2]
    other = there.version("two", "numbers")
    shelf.numbers["one"] = 10
    await here.tell("one", "numbers")
    assert await kept_here.fresh("one") == 10
    await until(lambda: shelf.loads == 6)
    assert await kept_there.get("one") == 10, "loaded when it was told, not when it is asked for"
    assert there.version("two", "numbers") == other
    assert await kept_there.get("two") == 2
    assert shelf.loads == 6


async def test_what_did_not_change_is_not_loaded_again(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    kept = shelf.kept(pair[0])
    await kept.get("one")
    await pair[0].tell("one", "numbers")
    await kept.fresh("one")
    await pair[1].tell("one", "other things")
    assert await kept.get("one") == 1
    assert shelf.loads == 1


async def test_a_thousand_requests_share_one_load_and_none_waits_for_the_next(
    pair: tuple[Changes, Changes], shelf: Shelf
) -> None:
    kept = shelf.kept(pair[0])
    assert set(await asyncio.gather(*(kept.get("one") for _ in range(1000)))) == {1}
    assert shelf.loads == 1
    shelf.open.clear()
    shelf.numbers["one"] = 10
    await pair[0].tell("one", "numbers")
    assert await asyncio.gather(*(kept.get("one") for _ in range(1000))) == [1] * 1000
    shelf.open.set()
    assert await kept.fresh("one") == 10
    assert shelf.loads == 2


async def test_what_changes_while_it_loads_is_loaded_once_more(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    kept = shelf.kept(pair[0])
    shelf.open.clear()
    loading = asyncio.create_task(kept.get("one"))
    await until(lambda: shelf.loads == 1)
    shelf.numbers["one"] = 10
    await pair[0].tell("one", "numbers")
    waiting = asyncio.create_task(kept.fresh("one"))
    shelf.open.set()
    assert await asyncio.gather(loading, waiting) == [10, 10]


async def test_a_load_that_fails_keeps_the_old_value(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    kept = shelf.kept(pair[0])
    shelf.shut = True
    with pytest.raises(OSError, match="shut"):
        await kept.get("one")
    shelf.shut = False
    assert await kept.get("one") == 1
    shelf.shut = True
    shelf.numbers["one"] = 10
    await pair[0].tell("one", "numbers")
    assert await kept.fresh("one") == 1
    asked = shelf.stamps
    assert [await kept.get("one") for _ in range(100)] == [1] * 100
    assert shelf.stamps == asked, "not asked again at every request"
    shelf.shut = False
    await until(lambda: _is(kept, 10))


async def test_a_caller_who_leaves_does_not_stop_the_load(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    kept = shelf.kept(pair[0])
    shelf.open.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept.get("one"), 0.05)
    shelf.open.set()
    assert await kept.get("one") == 1
    assert shelf.loads == 1


async def test_the_tenants_served_last_are_kept(pair: tuple[Changes, Changes], shelf: Shelf) -> None:
    kept = shelf.kept(pair[0], most=2)
    shelf.numbers["three"] = 3
    for tenant in ("one", "two", "one", "three", "one"):
        assert await kept.get(tenant) == shelf.numbers[tenant]
    assert shelf.loads == 3
    await kept.get("two")
    assert shelf.loads == 4


async def test_without_redis_changes_are_noticed_within_seconds(stores: Path, shelf: Shelf) -> None:
    async with AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(dir=stores))
        async with open_redis(home, silent) as url:
            here, there = [await stack.enter_async_context(joined(url)) for _ in range(2)]
            await until(lambda: here.heard and there.heard)
            kept = shelf.kept(there)
            await kept.get("one")
            missed = there.version("one", "numbers")
        await until(lambda: not there.heard)
        shelf.numbers["one"] = 10
        await here.tell("one", "numbers")  # nobody hears it
        assert there.version("one", "numbers") == missed
        async with asyncio.timeout(2):
            await until(lambda: _is(kept, 10))
        asked = shelf.stamps
        assert [await kept.get("one") for _ in range(100)] == [10] * 100
        assert shelf.stamps <= asked + 1, "at most once a second"
        async with open_redis(home, silent):
            await until(lambda: here.heard and there.heard)
            assert there.version("one", "numbers") > missed, "what was told meanwhile was missed"


async def test_a_redis_that_hangs_is_not_heard(stores: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_QUIET_S", 0.2)
    async with open_redis(Path(tempfile.mkdtemp(dir=stores)), silent) as url, joined(url) as listener:
        await until(lambda: listener.heard)
        async with Redis.from_url(url) as client:
            process = int((await client.info("server"))["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            await until(lambda: not listener.heard)
        finally:
            os.kill(process, signal.SIGCONT)
        await until(lambda: listener.heard)


async def test_nonsense_on_the_channel_hurts_nobody(pair: tuple[Changes, Changes], redis_url: str) -> None:
    here, there = pair
    before = there.version("one", "numbers")
    async with Redis.from_url(redis_url) as client:
        for nonsense in (b"", b"\xff\xfe", b"one", b" ", b"a b c " * 1000):
            await client.publish(CHANNEL, nonsense)
    await here.tell("one", "numbers")
    await until(lambda: there.version("one", "numbers") == before + 1)


async def _is(kept: Kept[int], number: int) -> bool:
    return await kept.get("one") == number
