"""The kit's interceptor chain on an echo RPC, against a bare grpc.aio server."""

from __future__ import annotations

import statistics
import time

import grpc.aio
from salambot.orchestrator.v1 import orchestrator_service_pb2, orchestrator_service_pb2_grpc

from servers.kit.chain import Chain
from servers.kit.interceptors import server_interceptors
from servers.kit.principal import Principal
from servers.kit.server import SocketInterceptor
from tests.bench.result import Result
from tests.bench.upstream import Echo

ROUNDS, CALLS = 15, 300
_TOKEN = (("authorization", "Bearer sk_bench_bench"),)


class _Known:
    """Knows one key and counts nothing: the stores behind them are measured with the whole message."""

    async def authenticate(self, token: str) -> Principal:
        """The one principal."""
        return Principal("demo", "bench", frozenset({1}))

    async def take(self, principal: Principal) -> None:
        """Always allowed."""


async def interceptors() -> list[Result]:
    """Both servers in this process, called in turn; the median round of each."""
    known = _Known()
    chain = Chain(server_interceptors(known, known))
    bare, ours = grpc.aio.server(), grpc.aio.server(interceptors=[SocketInterceptor(chain)])
    medians: dict[str, list[float]] = {"bare": [], "ours": []}
    stubs = {}
    for name, server in (("bare", bare), ("ours", ours)):
        orchestrator_service_pb2_grpc.add_OrchestratorServiceServicer_to_server(Echo(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stubs[name] = orchestrator_service_pb2_grpc.OrchestratorServiceStub(channel)
    request = orchestrator_service_pb2.SendMessageRequest()
    request.envelope.tenant, request.envelope.channel, request.envelope.message_id = "demo", 1, "m1"
    request.data.user_text = "salam 3afak fin n9der nshouf la facture ?"
    for _ in range(ROUNDS):
        for name, stub in stubs.items():
            medians[name].append(await _round(stub, request))
    await bare.stop(0)
    await ours.stop(0)
    floor, value = (statistics.median(medians[name]) for name in ("bare", "ours"))
    added = value - floor
    return [
        Result("interceptors.added_p50", round(added), "µs", "bare grpc.aio", round(floor), value / floor, "≤ 150 µs", added <= 150)
    ]  # fmt: skip


async def _round(stub: orchestrator_service_pb2_grpc.OrchestratorServiceAsyncStub, request: object) -> float:
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await stub.SendMessage(request, timeout=5, metadata=_TOKEN)
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times)
