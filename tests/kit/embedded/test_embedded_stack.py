"""All embedded services at once."""

import asyncpg
import pytest
from redis.asyncio import Redis

from servers.kit.embedded.process import StartError
from servers.kit.embedded.stack import EmbeddedStack
from servers.kit.inference.triton import TritonInference
from servers.kit.settings import read_settings


@pytest.fixture
def settings(tmp_path, models, triton_venv):
    def make(**overrides):
        values = {"home": tmp_path, "models": models, "triton_venv": triton_venv} | overrides
        return read_settings(**{"database_url": None, "redis_url": None, "triton_url": None} | values)

    return make


async def test_everything_starts(settings):
    async with EmbeddedStack.open(settings()) as stack:
        connection = await asyncpg.connect(stack.database_url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        async with Redis.from_url(stack.redis_url) as redis:
            assert await redis.ping()
        inference = TritonInference(stack.triton_url)
        assert await inference.ready("lookup")
        await inference.close()
        assert not stack.without_triton


async def test_what_has_a_url_is_not_started(settings, tmp_path):
    urls = {"database_url": "postgresql://db/x", "redis_url": "redis://cache", "triton_url": "triton:8001"}
    async with EmbeddedStack.open(settings(**urls)) as stack:
        assert (stack.database_url, stack.redis_url, stack.triton_url) == tuple(urls.values())
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


async def test_without_libpython_the_models_run_in_process(settings):
    steps = []
    urls = {"database_url": "postgresql://db/x", "redis_url": "redis://cache"}
    open_stack = EmbeddedStack.open(settings(**urls), lambda *step: steps.append(step), find=lambda: None)
    async with open_stack as stack:
        assert stack.triton_url is None
        assert "shared library of Python" in stack.without_triton
    assert stack.without_triton in steps[-1][1]


async def test_triton_that_is_switched_off(settings):
    urls = {"database_url": "postgresql://db/x", "redis_url": "redis://cache"}
    async with EmbeddedStack.open(settings(embedded_triton=False, **urls)) as stack:
        assert stack.triton_url is None
        assert stack.without_triton


async def test_a_home_folder_serves_one_installation(settings):
    remote = settings(database_url="postgresql://db/x", redis_url="redis://cache", triton_url="triton:8001")
    async with EmbeddedStack.open(remote):
        with pytest.raises(StartError, match="another SalamBot is running"):
            async with EmbeddedStack.open(remote):
                pass
    async with EmbeddedStack.open(remote):
        pass


async def test_a_service_that_cannot_start_ends_the_others(settings, tmp_path):
    (tmp_path / "postgres").write_text("a file where the folder of Postgres should be")
    with pytest.raises(StartError, match="Postgres cannot use"):
        async with EmbeddedStack.open(settings(embedded_triton=False)):
            pass
    assert not (tmp_path / "redis" / "redis.sock").exists()
