"""The gateway against the bare floor: JSON → one unary gRPC → JSON."""

from __future__ import annotations

import asyncio
import statistics
import sys

import orjson
import uvloop

from gateway.app import create_app
from gateway.server import serving as serving_app
from servers.kit.chain import Chain
from servers.kit.client import Channel
from servers.kit.credentials import Signer
from servers.kit.inprocess import LocalHandlers
from servers.kit.settings import Settings, read_settings
from tests.bench import load
from tests.bench.load import Load
from tests.bench.processes import serving
from tests.bench.result import Result

ROUNDS = 5
ALONE, TOGETHER = 600, 3000  # requests a round

BODY = orjson.dumps(
    {
        "schema_version": "1.0",
        "tenant": "demo",
        "channel": "facebook",
        "message_id": "m{n}",
        "correlation_id": "corr_{n}",
        "timestamp": "2025-08-14T10:00:00Z",
        "locale": "fr-MA",
        "data": {"user_text": "salam 3afak fin n9der nshouf la facture ?"},
    }
).decode()


async def gateway() -> list[Result]:
    """Medians over rounds in which both are measured in turn, so that a noisy moment hits both."""
    async with (
        serving("tests.bench.upstream") as upstream,
        serving("tests.bench.floor", str(upstream)) as floor,
        serving("tests.bench.gateway", str(upstream)) as ours,
    ):
        latencies: dict[int, list[float]] = {floor: [], ours: []}
        rates: dict[int, list[float]] = {floor: [], ours: []}
        for _ in range(ROUNDS):
            for port in (floor, ours):
                alone = await load.run(_load(port, ALONE, 1))
                latencies[port].append(alone.quantile(0.5))
                rates[port].append((await load.run(_load(port, TOGETHER, 32))).per_second)
    median = {port: statistics.median(values) for port, values in latencies.items()}
    rate = {port: statistics.median(values) for port, values in rates.items()}
    slower, share = median[ours] / median[floor], rate[ours] / rate[floor]
    return [
        Result("gateway.latency_p50_c1", round(median[ours], 3), "ms", "raw ASGI + stub", round(median[floor], 3), slower, "≤ 1.3 ×", slower <= 1.3),
        Result("gateway.throughput_c32", round(rate[ours]), "requests/s", "raw ASGI + stub", round(rate[floor]), share, "≥ 0.75 ×", share >= 0.75),
    ]  # fmt: skip


def _load(port: int, requests: int, concurrency: int) -> Load:
    return Load(port, "/v1/messages", [BODY], requests, concurrency, {"authorization": "Bearer sk_0_0"})


class _Open:
    """A platform of one peer and no stores: what is measured is the gateway alone."""

    def __init__(self, settings: Settings, channel: Channel) -> None:
        self.settings = settings
        self.channel = channel
        self.tenants = self

    async def readiness(self) -> dict[str, str]:
        """Always ready."""
        return {}

    async def allowed_origins(self, tenant: str) -> frozenset[str]:
        """None."""
        return frozenset()

    async def origin_allowed(self, origin: str) -> bool:
        """None."""
        return False


async def _main() -> None:
    settings = read_settings()
    channel = Channel(LocalHandlers(Chain(())), f"127.0.0.1:{sys.argv[1]}", Signer(""))
    async with serving_app(create_app(_Open(settings, channel)), "127.0.0.1", 0, 1) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
