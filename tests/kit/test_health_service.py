"""grpc.health.v1 and reflection on a real server, with dependencies that fail and come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from servers.kit import health as subject
from servers.kit.errors import UpstreamError
from servers.kit.health import Health, Watched
from servers.kit.platform import Platform
from servers.kit.server import Server
from tests.kit.echo.service import EchoService
from tests.kit.echo.wire import Echo

NAME = "salambot.echo.v1.EchoService"
Status = health_pb2.HealthCheckResponse


@dataclass
class Probed:
    """A server, its health, and the dependency behind it: `problem` is what its probe raises, or waits for."""

    health: Health
    server: Server
    stub: Any
    problem: Exception | float | None = None

    async def probe(self) -> None:
        if isinstance(self.problem, Exception):
            raise self.problem
        if self.problem is not None:
            await asyncio.sleep(self.problem)

    async def status(self, service: str) -> int:
        return (await self.stub.Check(health_pb2.HealthCheckRequest(service=service))).status


@pytest.fixture
async def probed(echo: Echo, base_platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Probed]:
    monkeypatch.setattr(subject, "INTERVAL_S", 0.02)
    monkeypatch.setattr(subject, "LIMIT_S", 1.0)  # a real Postgres is among what is asked, on a busy machine
    watched = [
        Watched("echo", NAME, ("postgres", "inference")),
        Watched("steady", "salambot.steady.v1.SteadyService", ("postgres",)),
        Watched("later", "salambot.later.v1.LaterService", (), built=False),
    ]
    probed = Probed(None, Server(base_platform.chain), None)
    probed.health = Health(watched, {**base_platform.checks(), "inference": probed.probe})
    echo.grpc.add_EchoServiceServicer_to_server(
        EchoService(echo.pb, echo.grpc.EchoServiceServicer()), probed.server.grpc
    )
    await probed.health.refresh()
    running = asyncio.create_task(probed.health.run())
    await probed.server.start("127.0.0.1", 0, [NAME], probed.health)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{probed.server.port}") as channel:
        probed.stub = health_pb2_grpc.HealthStub(channel)
        yield probed
    running.cancel()
    await probed.server.stop(0)


async def test_check(probed: Probed) -> None:
    """No credential is needed, and the empty name stands for all that is built."""
    assert await probed.status(NAME) == Status.SERVING
    assert await probed.status("") == Status.SERVING
    assert await probed.status("salambot.later.v1.LaterService") == Status.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await probed.status("salambot.nobody.v1.NobodyService")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("problem", [UpstreamError("Triton does not answer"), RuntimeError(), 600.0])
async def test_a_dependency_fails_and_comes_back(probed: Probed, problem: Exception | float) -> None:
    watch = probed.stub.Watch(health_pb2.HealthCheckRequest(service=NAME))
    other = probed.stub.Watch(health_pb2.HealthCheckRequest(service="salambot.steady.v1.SteadyService"))
    assert (await watch.read()).status == Status.SERVING
    assert (await other.read()).status == Status.SERVING
    probed.problem = problem
    assert (await watch.read()).status == Status.NOT_SERVING
    assert await probed.status(NAME) == Status.NOT_SERVING
    assert await probed.status("") == Status.NOT_SERVING
    assert await probed.status("salambot.steady.v1.SteadyService") == Status.SERVING
    report = probed.health.report()
    assert report["echo"].startswith("inference: ")
    assert len(report["echo"]) > len("inference: ")
    assert (report["steady"], report["later"]) == ("serving", "not built yet")
    probed.problem = None
    assert (await watch.read()).status == Status.SERVING
    assert await probed.status("") == Status.SERVING
    watch.cancel()
    other.cancel()


async def test_watching_what_is_not_served(probed: Probed) -> None:
    watch = probed.stub.Watch(health_pb2.HealthCheckRequest(service="salambot.nobody.v1.NobodyService"))
    assert (await watch.read()).status == Status.SERVICE_UNKNOWN
    watch.cancel()


async def test_draining_tells_watchers_and_is_not_held_up_by_them(probed: Probed) -> None:
    watch = probed.stub.Watch(health_pb2.HealthCheckRequest(service=NAME))
    assert (await watch.read()).status == Status.SERVING
    await probed.health.drain()
    assert (await watch.read()).status == Status.NOT_SERVING
    assert await watch.read() == grpc.aio.EOF
    assert await probed.status(NAME) == Status.NOT_SERVING
    began = time.monotonic()
    await probed.server.stop(30)
    assert time.monotonic() - began < 5


async def test_draining_lets_calls_finish(echo: Echo, base_platform: Platform, tenant: str, key: str) -> None:
    async with echo.open("socket", base_platform.chain, tenant, key) as wire:
        entered, go = asyncio.Event(), asyncio.Event()

        async def answer(request: Any) -> Any:
            entered.set()
            await go.wait()
            return wire.service.reply("finished")

        wire.service.answer = answer
        calling = asyncio.ensure_future(wire.stub.Echo(wire.request(), metadata=wire.outside))
        await entered.wait()
        stopping = asyncio.ensure_future(wire.server.stop(30))
        await asyncio.sleep(0.05)
        go.set()
        assert (await calling).data.text == "finished"
        await stopping


async def test_a_peer_that_comes_back_is_called_again(
    echo: Echo, base_platform: Platform, tenant: str, key: str
) -> None:
    async with echo.open("socket", base_platform.chain, tenant, key) as wire:
        await wire.stub.Echo(wire.request(), metadata=wire.outside)
        await wire.server.stop(0)
        for _ in range(5):
            with pytest.raises(UpstreamError):
                await wire.stub.Echo(wire.request(), metadata=wire.outside)
            await asyncio.sleep(0.3)
        again = Server(base_platform.chain)
        echo.grpc.add_EchoServiceServicer_to_server(wire.service, again.grpc)
        await again.start("127.0.0.1", wire.port, [NAME], Health([], {}))
        async with asyncio.timeout(4):
            while True:
                try:
                    await wire.stub.Echo(wire.request(), metadata=wire.outside)
                    break
                except UpstreamError:
                    await asyncio.sleep(0.05)
        await again.stop(0)


async def test_a_port_that_is_taken(probed: Probed, base_platform: Platform) -> None:
    with pytest.raises(OSError, match=f"127.0.0.1:{probed.server.port}: is the port taken"):
        await Server(base_platform.chain).start("127.0.0.1", probed.server.port, [], Health([], {}))


async def test_reflection_lists_and_describes(probed: Probed) -> None:
    def ask() -> tuple[list[str], Any]:
        with grpc.insecure_channel(f"127.0.0.1:{probed.server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            return list(database.get_services()), database.FindFileContainingSymbol(NAME)

    services, file = await asyncio.to_thread(ask)
    assert set(services) == {NAME, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert {method.name for method in file.service[0].method} >= {"Echo", "Repeat", "Collect", "Converse"}
