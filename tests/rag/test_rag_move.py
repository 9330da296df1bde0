"""Moving a tenant from one vector store to another while it is used."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import numpy as np
import pytest
from rag_client import Client
from salambot.common.v1 import envelope_pb2
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import Conflict, InvalidInput
from servers.kit.jobs import Jobs
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.settings import read_settings
from servers.kit.vectors import Match, VectorStore
from servers.kit.vectors.interfaces import DIMENSIONS
from servers.kit.vectors.pgvector import PgVector
from servers.kit.vectors.qdrant import Qdrant
from servers.kit.vectors.stores import VectorStores
from servers.rag.embedding import Embedder
from servers.rag.knowledge import Knowledge
from servers.rag.lexical.statistics import UNKNOWN
from servers.rag.lexical.terms import question_terms
from servers.rag.placement import PlacedVectors, Placement, Placements
from servers.rag.placement import move as moving
from servers.rag.placement.move import Move
from servers.rag.store import Store

NOWHERE = np.zeros(DIMENSIONS, np.float32)


@dataclass
class Installation:
    """Two vector stores, and knowledge that is kept where each tenant's placement says."""

    stores: VectorStores
    placements: Placements
    vectors: PlacedVectors
    knowledge: Knowledge
    move: Move

    async def put(self, tenant: str, document: str, text: str) -> None:
        sent = rag_pb2.Document(id=document, title=document, language=envelope_pb2.LANGUAGE_FR, text=text)
        await self.knowledge.put(tenant, sent)

    async def found(self, tenant: str, store: VectorStore | None = None) -> set[tuple[str, str]]:
        """Documents and versions that speak of a bill."""
        terms = question_terms("facture", UNKNOWN)
        matches: list[Match] = await (store or self.vectors).search(tenant, NOWHERE, terms, 500, {})
        return {(match.payload["document"], match.payload["version"]) for match in matches}


@pytest.fixture(scope="module")
async def platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform that serves nothing: what is in the stores is the subject here."""
    settings = read_settings(home=stores / "move")
    secret, needs = "a secret of at least 32 characters", ("postgres", "inference", "vectors")
    async with open_platform(settings, Addresses(database_url, redis_url), secret, needs) as platform:
        yield platform


@pytest.fixture
async def installation(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setattr(moving, "ALL_KNOW_S", 0.0)
    stores = VectorStores({"pgvector": PgVector(platform.postgres), "qdrant": Qdrant(":memory:")}, "pgvector")
    placements = Placements(platform.postgres, platform.changes, "pgvector")
    vectors, embedder = PlacedVectors(stores, placements), Embedder(platform.inference)

    async def nothing(_tenant: str) -> None: ...

    knowledge = Knowledge(
        store=Store(platform.postgres),
        blobs=platform.blobs,
        vectors=vectors,
        embedder=embedder,
        jobs=Jobs(platform.postgres, platform.addresses.database),
        changed=nothing,
        writers=2,
    )
    yield Installation(stores, placements, vectors, knowledge, Move(platform.postgres, stores, placements, embedder))
    await stores.close()


def silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def test_a_tenant_is_moved_with_all_it_has_and_no_other_is(
    installation: Installation, client: Client, stranger: Client
) -> None:
    for whose in (client.tenant, stranger.tenant):
        for number in range(5):
            await installation.put(whose, f"d{number}", f"# Facture\n\nLa facture {number}\n\n# Plainte\n\nAutre\n")
    before = await installation.found(client.tenant)
    told: list[tuple[int, int]] = []
    assert await installation.move.run(client.tenant, "qdrant", lambda *step: told.append(step)) == 10
    assert told == [(number, 5) for number in range(1, 6)]
    old, new = installation.stores.get("pgvector"), installation.stores.get("qdrant")
    assert await installation.found(client.tenant, new) == before == {(f"d{number}", "1") for number in range(5)}
    assert await installation.found(client.tenant, old) == set()
    assert await installation.found(stranger.tenant, old) == before
    assert await installation.found(stranger.tenant, new) == set()
    assert await installation.move.run(client.tenant, "qdrant", silent) == 0  # it is there
    await installation.put(client.tenant, "d0", "# Facture\n\nLa facture, autrement\n")
    assert ("d0", "2") in await installation.found(client.tenant, new)
    assert await installation.found(client.tenant, old) == set()


async def test_readers_and_writers_keep_working_meanwhile(
    installation: Installation, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ALL_KNOW_S", 2.0)  # searches under way still ask the old store
    tenant = client.tenant
    for number in range(12):
        await installation.put(tenant, f"d{number:02}", f"# Facture\n\nLa facture {number}\n")
    still = {f"d{number:02}" for number in range(4, 12)}
    running, reads = True, 0

    async def read() -> None:
        nonlocal reads
        while running:
            assert still <= {document for document, _ in await installation.found(tenant)}
            reads += 1

    async def write() -> None:
        for version in range(2, 6):
            for document in ("d00", "d01", "d11", "e00"):
                await installation.put(tenant, document, f"# Facture\n\nLa facture en version {version}\n")
        await installation.knowledge.delete(tenant, "d02")
        await installation.knowledge.delete(tenant, "e00")

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(installation.move.run(tenant, "qdrant", silent), write())
    running = False
    await asyncio.gather(*readers)
    assert reads > 10
    expected = {(f"d{number:02}", "1") for number in range(3, 11)} | {(each, "5") for each in ("d00", "d01", "d11")}
    assert expected == await installation.found(tenant, installation.stores.get("qdrant"))
    assert await installation.found(tenant, installation.stores.get("pgvector")) == set()


@pytest.mark.parametrize("after", ["begun", "copied some", "switched", "dropping"])
async def test_goes_on_where_it_was_cut_off(installation: Installation, client: Client, after: str) -> None:
    tenant = client.tenant
    for number in range(6):
        await installation.put(tenant, f"d{number}", f"# Facture\n\nLa facture {number}\n")

    class Cut(Exception):
        pass

    def cut(done: int, _total: int) -> None:
        if (after == "begun" and done == 1) or (after == "copied some" and done == 4):
            raise Cut

    write, written = installation.placements.write, []

    async def cut_off(tenant: str, placement: Placement) -> None:
        await write(tenant, placement)
        written.append(placement.phase)
        if {"switched": "leaving", "dropping": "dropping"}.get(after) == written[-1]:
            raise Cut

    installation.placements.write = cut_off  # type: ignore[method-assign]
    with pytest.raises(Cut):
        await installation.move.run(tenant, "qdrant", cut)
    installation.placements.write = write  # type: ignore[method-assign]
    assert len(await installation.found(tenant)) == 6
    with pytest.raises(Conflict):
        await installation.move.run(tenant, "pgvector", silent)
    told: list[int] = []
    await installation.move.run(tenant, "qdrant", lambda done, _: told.append(done))
    assert told == {"begun": [2, 3, 4, 5, 6], "copied some": [5, 6]}.get(after, [])
    assert len(await installation.found(tenant, installation.stores.get("qdrant"))) == 6
    assert await installation.found(tenant, installation.stores.get("pgvector")) == set()


async def test_a_store_that_is_not_set_up_is_refused(installation: Installation, client: Client) -> None:
    with pytest.raises(InvalidInput, match="SALAMBOT_MILVUS_URL"):
        await installation.move.run(client.tenant, "milvus", silent)
    with pytest.raises(InvalidInput, match="pgvector, qdrant"):
        await installation.move.run(client.tenant, "elsewhere", silent)


COMMAND = """
import typer
from servers.commands.kb_move import move
from servers.rag.placement import move as moving
moving.ALL_KNOW_S = 0.0
typer.run(move)
"""


async def test_the_command_goes_on_after_a_kill(
    installation: Installation, client: Client, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    tenant = client.tenant
    for number in range(40):
        await installation.put(tenant, f"d{number:02}", f"# Facture\n\nLa facture {number}\n")
    environment = os.environ | {
        "SALAMBOT_DATABASE_URL": database_url,
        "SALAMBOT_REDIS_URL": redis_url,
        "SALAMBOT_QDRANT_URL": str(tmp_path),
        "SALAMBOT_VECTOR_STORE": "pgvector",
    }

    async def command() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, tenant, "--to", "qdrant", env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    killed = await command()
    while (await installation.placements.read(tenant)).copied < "d05":
        assert killed.returncode is None
        await asyncio.sleep(0.01)
    os.kill(killed.pid, SIGKILL)
    await killed.wait()
    placement = await installation.placements.read(tenant)
    assert (placement.store, placement.phase, placement.other) == ("pgvector", "copying", "qdrant")
    assert "d05" <= placement.copied < "d39"
    assert len(await installation.found(tenant)) == 40

    finished = await command()
    output, _ = await finished.communicate()
    assert finished.returncode == 0, output.decode()
    assert f"{39 - int(placement.copied[1:])} passages" in output.decode()
    assert (await installation.placements.read(tenant)).store == "qdrant"
    store = Qdrant(str(tmp_path))
    assert len(await installation.found(tenant, store)) == 40
    await store.close()
    assert await installation.found(tenant, installation.stores.get("pgvector")) == set()
