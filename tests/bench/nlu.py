"""Reading messages: Analyze over gRPC with the models in Triton, beside identifiers of languages and a linear classifier.

The floor of the rates is a bare grpc.aio server that says nothing. The peers say one thing of a message, its language, in
process and in one thread; Analyze says all of it, over a socket.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import uvloop
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2, nlu_service_pb2_grpc
from salambot.orchestrator.v1 import orchestrator_service_pb2, orchestrator_service_pb2_grpc

from servers.commands.evaluation.baselines import Answer, linear, lingua, py3langid
from servers.kit.embedded.progress import silent
from servers.kit.settings import read_settings
from servers.nlu.labels import word_of
from servers.registry import select
from servers.runtime import running
from tests.bench.processes import serving
from tests.bench.result import Result
from training.corpus import CORPORA, LANGUAGES, read_examples

ROUNDS = 3
ALONE, TOGETHER = 600, 2500  # messages a round
CONCURRENCY = 32
PEERS: dict[str, Callable[[], Answer]] = {
    "py3langid": py3langid,
    "lingua": lingua,
    "scikit-learn": lambda: linear(*zip(*((item.text, item.language) for item in read_examples()), strict=True)),
}
EVALUATION = CORPORA / "language" / "eval.tsv"  # language, kind, text: no model was trained on it
TRITON = Path(__file__).parents[2] / ".salambot" / "triton" / "venv"  # shared with the tests: 300 MB
TENANT, KEY = "bench", "bench.key"

Call = Callable[[str], Awaitable[object]]


@dataclass
class Client:
    """One caller of the server under measurement, and of the floor."""

    stub: nlu_service_pb2_grpc.NLUServiceAsyncStub
    floor: orchestrator_service_pb2_grpc.OrchestratorServiceAsyncStub
    metadata: list[tuple[str, str]]

    async def analyze(self, text: str) -> nlu_pb2.Analysis:
        """What the server says of a message."""
        request = nlu_service_pb2.AnalyzeRequest(data=nlu_pb2.AnalyzeInput(text=text))
        _address(request.envelope)
        return (await self.stub.Analyze(request, metadata=self.metadata)).data

    async def echo(self, text: str) -> object:
        """What the floor says."""
        request = orchestrator_service_pb2.SendMessageRequest()
        _address(request.envelope)
        request.data.user_text = text
        return await self.floor.SendMessage(request, metadata=self.metadata)

    async def stream(self, texts: Sequence[str]) -> float:
        """Messages a second of one stream."""

        async def requests() -> AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest]:
            for text in texts:
                request = nlu_service_pb2.AnalyzeStreamRequest(data=nlu_pb2.AnalyzeInput(text=text))
                _address(request.envelope)
                yield request

        began = time.perf_counter()
        replies = [reply async for reply in self.stub.AnalyzeStream(requests(), metadata=self.metadata)]
        assert len(replies) == len(texts)
        return len(texts) / (time.perf_counter() - began)


def _address(envelope: envelope_pb2.Envelope) -> None:
    envelope.tenant, envelope.channel, envelope.message_id = TENANT, envelope_pb2.CHANNEL_WHATSAPP, "m1"


async def _latencies(call: Call, texts: Sequence[str]) -> list[float]:
    """Milliseconds of each message, one after the other, sorted."""
    taken = []
    for text in texts:
        began = time.perf_counter()
        await call(text)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


async def _rate(call: Call, texts: Sequence[str]) -> float:
    """Messages a second, with CONCURRENCY on their way at a time."""
    waiting = iter(texts)

    async def caller() -> None:
        for text in waiting:
            await call(text)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    return len(texts) / (time.perf_counter() - began)


async def nlu() -> list[Result]:
    """Medians over rounds of messages that were never sent before; then the same few again and again."""
    fresh = _fresh()
    async with _client() as client:
        await _latencies(client.analyze, _take(fresh, 200))
        rounds = [
            (
                await _latencies(client.analyze, _take(fresh, ALONE)),
                await _rate(client.echo, _take(fresh, TOGETHER)),
                await _rate(client.analyze, _take(fresh, TOGETHER)),
                await client.stream(_take(fresh, TOGETHER)),
            )
            for _ in range(ROUNDS)
        ]
        again = _take(fresh, 64)
        await _latencies(client.analyze, again)
        known = await _latencies(client.analyze, again * 10)
        known_rate = await _rate(client.analyze, again * 40)
        texts, truth = _labelled()
        said = [word_of((await client.analyze(text)).language) for text in texts]
    p50, p95 = (statistics.median(times[int(len(times) * share)] for times, *_ in rounds) for share in (0.5, 0.95))
    floor, rate, streamed = (statistics.median(column) for column in list(zip(*rounds, strict=True))[1:])
    known_p50, accuracy = known[len(known) // 2], _percent(said, truth)
    results = [
        Result("nlu.latency_p50_c1", round(p50, 2), "ms", "", None, None, "", True),
        Result("nlu.latency_p95_c1", round(p95, 2), "ms", "", None, None, "≤ 8 ms", p95 <= 8),
        Result("nlu.latency_p50_c1_repeated", round(known_p50, 2), "ms", "a new message", round(p50, 2), known_p50 / p50, "", True),
        Result("nlu.throughput_c32", round(rate), "messages/s", "bare grpc.aio", round(floor), rate / floor, "≥ 1,500/s", rate >= 1500),
        Result("nlu.throughput_c32_repeated", round(known_rate), "messages/s", "bare grpc.aio", round(floor), known_rate / floor, "", True),
        Result("nlu.throughput_stream", round(streamed), "messages/s", "Analyze at 32", round(rate), streamed / rate, "", True),
    ]  # fmt: skip
    for name, prepare in PEERS.items():
        peer_rate, peer_accuracy = await asyncio.to_thread(_peer, prepare, texts, truth)
        results += [
            Result(f"nlu.throughput_c32_beside_{name}", round(rate), "messages/s", f"{name}, language alone", round(peer_rate), rate / peer_rate, "", True),
            Result(f"nlu.language_accuracy_beside_{name}", accuracy, "%", name, peer_accuracy, accuracy / peer_accuracy, "≥ its", accuracy >= peer_accuracy),
        ]  # fmt: skip
    return results


def _peer(prepare: Callable[[], Answer], texts: Sequence[str], truth: Sequence[str]) -> tuple[float, float]:
    """Messages a second, one at a time, and percent right."""
    answer = prepare()
    began = time.perf_counter()
    said = [answer([text])[0] for text in texts]
    return len(texts) / (time.perf_counter() - began), _percent(said, truth)


def _percent(said: Sequence[str], truth: Sequence[str]) -> float:
    return round(100 * sum(map(str.__eq__, said, truth)) / len(truth), 1)


def _fresh() -> Iterator[str]:
    """Sentences of the corpus in all languages and intents, each once."""
    texts = [example.text for example in read_examples()]
    random.Random(7).shuffle(texts)
    # A second reading of the corpus says the same in other words, as far as a cache can tell.
    return (f"{text}{end}" for end in ("", " .", " !", " ?") for text in texts)


def _take(texts: Iterator[str], count: int) -> list[str]:
    return [next(texts) for _ in range(count)]


def _labelled() -> tuple[list[str], list[str]]:
    """Messages in the five languages, and their language."""
    rows = [line.split("\t") for line in EVALUATION.read_text("utf-8").splitlines()]
    served = [(text, language) for language, _, text in rows if language in LANGUAGES]
    return [text for text, _ in served], [language for _, language in served]


@asynccontextmanager
async def _client() -> AsyncIterator[Client]:
    """A client of a server in another process, with a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALAMBOT_HOME"] = folder
        try:
            async with (
                serving("tests.bench.upstream") as floor,
                serving("tests.bench.nlu") as port,
                grpc.aio.insecure_channel(f"127.0.0.1:{floor}") as bare,
                grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
            ):
                yield Client(
                    nlu_service_pb2_grpc.NLUServiceStub(channel),
                    orchestrator_service_pb2_grpc.OrchestratorServiceStub(bare),
                    [("authorization", f"Bearer {(Path(folder) / KEY).read_text()}")],
                )
        finally:
            del os.environ["SALAMBOT_HOME"]


async def _main() -> None:
    settings = read_settings(grpc_port=0, log_level="error", triton_venv=TRITON, rate_limit_per_minute=10_000_000)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with running(settings, select(["nlu"]), gateway=False, grpc=True, progress=silent) as process:
        tenants = process.platform.tenants
        await tenants.put(TENANT, name=TENANT, locale="fr-MA", settings={})
        key = await tenants.create_key(TENANT, name="bench", scopes=[options_pb2.SCOPE_CHAT])
        (settings.home / KEY).write_text(key)
        print(process.grpc_port, flush=True)
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(_main())
