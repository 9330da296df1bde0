"""The embedded Redis."""

import asyncio
import signal

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servers.kit.embedded.progress import silent
from servers.kit.embedded.redis import open_redis


async def when_back(client):
    while True:
        try:
            return await client.get("key")
        except (RedisError, OSError):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", ["home", "a folder with 'quotes' & spaces", "long" * 40])
async def test_what_is_written_outlives_a_stop(tmp_path, name):
    for expected in (None, b"value"):
        async with open_redis(tmp_path / name, silent) as url, Redis.from_url(url) as client:
            assert await client.get("key") == expected
            await client.set("key", "value")
            assert (await client.config_get("port"))["port"] == "0"


async def test_it_is_started_again_when_it_is_killed(tmp_path, child):
    async with open_redis(tmp_path, silent) as url, Redis.from_url(url) as client:
        await client.set("key", "value")
        await asyncio.sleep(1.2)  # the append-only file reaches the disk once a second
        child("redis-server").send_signal(signal.SIGKILL)
        assert await when_back(client) == b"value"


async def test_a_server_left_behind_is_replaced(tmp_path, hold):
    home = tmp_path / "home"
    holder = await asyncio.create_subprocess_exec(*hold("redis", home), stdout=asyncio.subprocess.PIPE)
    url = (await holder.stdout.readline()).decode().strip()
    async with Redis.from_url(url) as client:
        first = (await client.info("server"))["process_id"]
        holder.send_signal(signal.SIGSTOP)  # so that it does not start its server again
        async with open_redis(home, silent) as again:
            assert again == url
            holder.kill()
            assert (await client.info("server"))["process_id"] != first
    await holder.wait()
