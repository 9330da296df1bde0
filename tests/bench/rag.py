"""Searching knowledge: Retrieve over gRPC, and the search in the store beside a bare pgvector query and exact FAISS.

`BENCH_SCALE` says how much: tenants x passages of each.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import faiss
import grpc.aio
import numpy as np
import uvloop
from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit.embedded.progress import silent
from servers.kit.inference.onnx import OnnxInference
from servers.kit.postgres import Postgres
from servers.kit.settings import read_settings
from servers.kit.vectors import Terms
from servers.kit.vectors.interfaces import DIMENSIONS, Filters, Vector
from servers.kit.vectors.pgvector import PgVector
from servers.rag.embedding import Embedder
from servers.rag.lexical.statistics import UNKNOWN
from servers.rag.lexical.terms import question_terms
from servers.registry import select
from servers.runtime import running
from servers.state import read
from tests.bench.knowledge import SECTIONS, Text, questions, texts
from tests.bench.nlu import TRITON
from tests.bench.processes import serving
from tests.bench.result import Result

TENANTS, PASSAGES = (int(part) for part in os.environ.get("BENCH_SCALE", "20x5000").split("x"))
WRITERS, ROUNDS, ASKED = 4, 3, 400
NAMES = [f"bench-{number}" for number in range(TENANTS)]
NEAREST, CANDIDATES = 5, 40
KEYS = "bench.keys"
SILENT = Terms(np.empty(0, np.int32), np.empty(0, np.float32))
BARE = "SELECT id FROM vectors ORDER BY embedding::halfvec(256) <#> $1::halfvec(256) LIMIT $2"
FILTERS: dict[str, Filters] = {
    "": {},
    "_filter_10": {"attributes.tenth": "7"},
    "_filter_1": {"attributes.hundredth": "7"},
}

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Client:
    """Calls the server as any of the tenants."""

    stub: rag_service_pb2_grpc.RAGServiceAsyncStub
    keys: dict[str, str]

    async def put(self, tenant: str, text: Text) -> int:
        """Stores a document; how many passages it made."""
        number = int(text.id[1:])
        document = rag_pb2.Document(
            id=text.id,
            title=text.id,
            language=text.language,
            text=text.text,
            attributes={"tenth": str(number % 10), "hundredth": str(number % 100)},
        )
        request = rag_service_pb2.PutDocumentRequest(data=rag_service_pb2.PutDocumentInput(document=document))
        return (
            await self.stub.PutDocument(request, metadata=self._address(request.envelope, tenant))
        ).data.document.passage_count

    async def retrieve(self, tenant: str, question: str) -> rag_pb2.RetrieveOutput:
        """Asks a question."""
        request = rag_service_pb2.RetrieveRequest(data=rag_pb2.RetrieveInput(query=question, limit=NEAREST))
        return (await self.stub.Retrieve(request, metadata=self._address(request.envelope, tenant))).data

    def _address(self, envelope: envelope_pb2.Envelope, tenant: str) -> list[tuple[str, str]]:
        envelope.tenant, envelope.channel, envelope.message_id = tenant, envelope_pb2.CHANNEL_WHATSAPP, "m1"
        return [("authorization", f"Bearer {self.keys[tenant]}")]


async def rag() -> list[Result]:
    """Everything is imported first, over gRPC; then each search is timed in rounds that take turns."""
    knowledge = texts(PASSAGES // SECTIONS, seed=1)
    asked = questions(knowledge, ASKED, seed=2)
    async with _client() as (client, store, postgres):
        per_second = await _import(client, knowledge)
        await asyncio.sleep(10)  # terms are counted, tables analysed
        searches = await _searches(store, postgres, asked)
        recalls = await _recalls(store, postgres, asked)
        ask = partial(_ask, client, asked)
        await _latencies(ask, 1, ASKED // 2)
        alone = await _median(ask, 1)
        together = await _median(ask, 8)
    bare, exact = searches["bare"], searches["exact"]
    return [
        Result("rag.import", round(per_second), "passages/s", "", None, None, "≥ 500/s", per_second >= 500),
        Result("rag.search_vector_p50", _ms(searches["vector"]), "ms", "bare pgvector query", _ms(bare), searches["vector"] / bare, "≤ 1.5 × its", searches["vector"] <= 1.5 * bare),
        Result("rag.search_both_p50", _ms(searches["both"]), "ms", "bare pgvector query", _ms(bare), searches["both"] / bare, "", True),
        Result("rag.search_vector_p50_beside_faiss", _ms(searches["vector"]), "ms", "exact FAISS in process", _ms(exact), searches["vector"] / exact, "", True),
        *(Result(f"rag.recall_at_5{name}", round(recall, 4), "", "exact FAISS", 1.0, recall, "≥ 0.98", recall >= 0.98) for name, recall in recalls.items()),
        *(Result(f"rag.retrieve_p50_c{at}", round(times[0], 1), "ms", "", None, None, "", True) for at, times in ((1, alone), (8, together))),
        Result("rag.retrieve_p95_c1", round(alone[1], 1), "ms", "", None, None, "", True),
        Result("rag.retrieve_p95_c8", round(together[1], 1), "ms", "", None, None, "≤ 25 ms", together[1] <= 25),
    ]  # fmt: skip


def _ms(milliseconds: float) -> float:
    return round(milliseconds, 2)


async def _import(client: Client, knowledge: Sequence[Text]) -> float:
    """Passages a second, the documents of all tenants in turn."""
    waiting = iter([(tenant, text) for text in knowledge for tenant in NAMES])

    async def writer() -> int:
        return sum([await client.put(tenant, text) for tenant, text in waiting])

    began = time.perf_counter()
    passages = sum(await asyncio.gather(*(writer() for _ in range(WRITERS))))
    assert passages == TENANTS * len(knowledge) * SECTIONS, passages
    return passages / (time.perf_counter() - began)


async def _searches(store: PgVector, postgres: Postgres, asked: Sequence[str]) -> dict[str, float]:
    """The median time of each kind of search, in milliseconds; 40 candidates each."""
    vectors, terms = await _embedded(asked), [question_terms(question, UNKNOWN) for question in asked]
    index, _ = _exact({item: vector for item, (vector, _) in (await _known(postgres, NAMES[0])).items()})
    taken: dict[str, list[float]] = {"bare": [], "vector": [], "both": [], "exact": []}
    for _ in range(ROUNDS + 1):
        for number, (vector, words) in enumerate(zip(vectors, terms, strict=True)):
            tenant = NAMES[number % TENANTS]
            async with postgres.tenant(tenant) as connection:
                await connection.execute("SET LOCAL hnsw.ef_search = 200")
                taken["bare"].append(await _timed(connection.fetch(BARE, vector, CANDIDATES)))
            taken["vector"].append(await _timed(store.search(tenant, vector, SILENT, CANDIDATES, {})))
            taken["both"].append(await _timed(store.search(tenant, vector, words, CANDIDATES, {})))
            began = time.perf_counter()
            index.search(vector[None], CANDIDATES)
            taken["exact"].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(times[ASKED:]) for name, times in taken.items()}


async def _recalls(store: PgVector, postgres: Postgres, asked: Sequence[str]) -> dict[str, float]:
    """The share of the exactly nearest five that the store finds, by filter."""
    vectors, hits = await _embedded(asked), dict.fromkeys(FILTERS, 0)
    total = dict.fromkeys(FILTERS, 0)
    for name, filters in FILTERS.items():
        for tenant in NAMES[:4]:
            known = {
                item: vector
                for item, (vector, payload) in (await _known(postgres, tenant)).items()
                if all(payload.get(key) == value for key, value in filters.items())
            }
            index, ids = _exact(known)
            _, nearest = index.search(vectors, NEAREST)
            for vector, exact in zip(vectors, nearest, strict=True):
                found = await store.search(tenant, vector, SILENT, NEAREST, filters)
                hits[name] += len({match.id for match in found} & {ids[at] for at in exact if at >= 0})
                total[name] += int((exact >= 0).sum())
    return {name: hits[name] / total[name] for name in FILTERS}


def _exact(known: dict[str, Vector]) -> tuple[faiss.IndexFlatIP, list[str]]:
    index = faiss.IndexFlatIP(DIMENSIONS)
    index.add(np.stack(list(known.values())))
    return index, list(known)


async def _known(postgres: Postgres, tenant: str) -> dict[str, tuple[Vector, dict[str, str]]]:
    async with postgres.tenant(tenant) as connection:
        rows = await connection.fetch("SELECT id, embedding, payload FROM vectors ORDER BY id")
    return {row["id"]: (row["embedding"].to_numpy().astype(np.float32), row["payload"]) for row in rows}


async def _embedded(asked: Sequence[str]) -> Vector:
    inference = await OnnxInference.open(read_settings().models)
    try:
        return await Embedder(inference).embed(asked)
    finally:
        await inference.close()


async def _ask(client: Client, asked: Sequence[str], number: int) -> None:
    await client.retrieve(NAMES[number % TENANTS], asked[number % ASKED])


async def _median(call: Call, concurrency: int) -> tuple[float, float]:
    """p50 and p95 in milliseconds, medians over rounds."""
    rounds = [await _latencies(call, concurrency, ASKED * 2) for _ in range(ROUNDS)]
    p50, p95 = (statistics.median(times[int(len(times) * share)] for times in rounds) for share in (0.5, 0.95))
    return p50, p95


async def _latencies(call: Call, concurrency: int, count: int) -> list[float]:
    """Milliseconds of each call, sorted."""
    numbers, taken = iter(range(count)), []

    async def caller() -> None:
        for number in numbers:
            taken.append(await _timed(call(number)))  # noqa: PERF401 - callers share one list

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return sorted(taken)


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


@asynccontextmanager
async def _client() -> AsyncIterator[tuple[Client, PgVector, Postgres]]:
    """A client of a server in another process with a home of its own, and that server's database."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALAMBOT_HOME"] = folder
        try:
            async with (
                serving("tests.bench.rag") as port,
                grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
            ):
                state = read(Path(folder))
                assert state is not None
                postgres = await Postgres.open(state.database, connections=4)
                lines = (Path(folder) / KEYS).read_text().split()
                client = Client(rag_service_pb2_grpc.RAGServiceStub(channel), dict(zip(NAMES, lines, strict=True)))
                try:
                    yield client, PgVector(postgres), postgres
                finally:
                    await postgres.close()
        finally:
            del os.environ["SALAMBOT_HOME"]


async def _main() -> None:
    settings = read_settings(grpc_port=0, log_level="error", triton_venv=TRITON, rate_limit_per_minute=10_000_000)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with running(settings, select(["rag"]), gateway=False, grpc=True, progress=silent) as process:
        tenants, keys = process.platform.tenants, []
        for name in NAMES:
            await tenants.put(name, name=name, locale="fr-MA", settings={})
            scopes = [options_pb2.SCOPE_CHAT, options_pb2.SCOPE_KNOWLEDGE]
            keys.append(await tenants.create_key(name, name="bench", scopes=scopes))
        (settings.home / KEYS).write_text("\n".join(keys))
        print(process.grpc_port, flush=True)
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(_main())
