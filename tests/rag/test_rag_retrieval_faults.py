"""What searches say while something they need is slow, broken or away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rag_client import Client
from salambot.rag.v1 import rag_pb2, rag_service_pb2

from servers.kit.errors import Timeout, UpstreamError
from servers.kit.inference.onnx import OnnxInference
from servers.kit.jobs import Jobs
from servers.kit.platform import Platform
from servers.kit.vectors import VectorStore
from servers.kit.vectors.qdrant import Qdrant
from servers.kit.vectors.stores import VectorStores
from servers.rag.embedding import Embedder
from servers.rag.placement import PlacedVectors, Placement, Placements
from servers.rag.ranking.ranker import MODEL, Ranker
from servers.rag.retrieval import Retriever
from servers.rag.standing import Passages
from servers.rag.statistics import Counts

BILL = "## Voir ma facture {#voir-facture}\nOuvrez l'application puis touchez Mes factures."
HOURS = "## Horaires\nDe 9 h à 18 h."
ASKED = rag_pb2.RetrieveInput(query="fin n9der nshouf lfactura dyali?")

NO_RANKER = {
    "missing": None,
    "broken": 'backend: "onnxruntime" max_batch_size: 64 '
    'input [ { name: "features" data_type: TYPE_FP32 dims: [ 7 ] } ] '
    'output [ { name: "relevance" data_type: TYPE_FP32 dims: [ 1 ] } ]',
}
"""Configurations of a ranker that does not answer."""


@pytest.fixture(autouse=True)
async def _documents(client: Client, stranger: Client) -> None:
    """Two tenants, each with documents of its own that answer the same question."""
    for one, prefix in ((client, "our"), (stranger, "their")):
        await one.put(f"{prefix}-bill", BILL)
        await one.put(f"{prefix}-hours", HOURS)


@pytest.mark.parametrize("store", ["vectors", "rag_passages"])
async def test_a_slow_store_costs_no_more_than_the_deadline(
    client: Client, stranger: Client, platform: Platform, store: str
) -> None:
    began = time.monotonic()
    async with platform.postgres.tenant(stranger.tenant) as connection:
        await connection.execute(f"LOCK TABLE {store} IN ACCESS EXCLUSIVE MODE")
        for one in (client, stranger):
            with one._call("Retrieve"), pytest.raises(Timeout):
                await one._stub.Retrieve(rag_service_pb2.RetrieveRequest(data=ASKED), timeout=0.3)
    assert time.monotonic() - began < 3, "the time that Retrieve has by itself"
    assert (await client.retrieve(ASKED.query)).ids[0] == "our-bill"
    assert (await stranger.retrieve(ASKED.query)).ids[0] == "their-bill"


async def test_a_vector_store_that_is_away_is_an_upstream_error_for_its_tenants(
    client: Client, stranger: Client, platform: Platform, unused_tcp_port: int
) -> None:
    away = Qdrant(f"http://127.0.0.1:{unused_tcp_port}", None)
    stores: dict[str, VectorStore] = {"pgvector": platform.vectors, "qdrant": away}
    placements = Placements(platform.postgres, platform.changes, "pgvector")
    await placements.write(client.tenant, Placement("qdrant"))
    vectors = PlacedVectors(VectorStores(stores, "pgvector"), placements)
    retriever = _retriever(platform, vectors, Embedder(platform.inference), Ranker(platform.inference))
    with pytest.raises(UpstreamError):
        await retriever.retrieve(client.tenant, ASKED, staff=False)
    assert (await retriever.retrieve(stranger.tenant, ASKED, staff=False)).ids[0] == "their-bill"
    await away.close()


@pytest.fixture(params=NO_RANKER)
async def unranked(request: pytest.FixtureRequest, platform: Platform, tmp_path: Path) -> AsyncIterator[Retriever]:
    """Searches with the encoder alone."""
    models, config = platform.settings.models, NO_RANKER[request.param]
    (tmp_path / "encoder").symlink_to(models / "encoder")
    if config is not None:
        (tmp_path / MODEL).mkdir()
        (tmp_path / MODEL / "config.pbtxt").write_text(config)
        (tmp_path / MODEL / "1").symlink_to(models / MODEL / "1")
    inference = await OnnxInference.open(tmp_path)
    yield _retriever(platform, platform.vectors, Embedder(inference), Ranker(inference))
    await inference.close()


async def test_without_the_ranker_the_first_look_decides(client: Client, stranger: Client, unranked: Retriever) -> None:
    ranked = await client.retrieve(ASKED.query)
    output = await unranked.retrieve(client.tenant, ASKED, staff=False)
    assert output.ids == ["our-bill", "our-hours"] == ranked.ids
    assert 1 > output.scores[0] > output.scores[1] > 0
    assert output.scores != ranked.scores
    assert (await unranked.retrieve(stranger.tenant, ASKED, staff=False)).ids == ["their-bill", "their-hours"]


def _retriever(platform: Platform, vectors: VectorStore, embedder: Embedder, ranker: Ranker) -> Retriever:
    jobs = Jobs(platform.postgres, platform.addresses.database)
    return Retriever(
        embedder=embedder,
        vectors=vectors,
        read=Passages(platform.postgres).read,
        statistics_of=Counts(platform.postgres, jobs, platform.changes).of,
        ranker=ranker,
    )
