"""What every vector store promises, over pgvector in a real Postgres and over Milvus Lite."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.kit.errors import InternalError
from servers.kit.postgres import Postgres
from servers.kit.vectors import Item, Match, VectorStore
from servers.kit.vectors.interfaces import DIMENSIONS, Vector
from servers.kit.vectors.milvus import Milvus
from servers.kit.vectors.pgvector import PgVector

ODD = """l'été "2026" \\ %_{x} $1 ' OR tenant != '' or 1 == 1 [فاتورة] 🙂\n\t"""


@asynccontextmanager
async def opened(kind: str, postgres: Postgres, folder: Path) -> AsyncIterator[VectorStore]:
    if kind == "pgvector":
        yield PgVector(postgres)
        return
    milvus = Milvus(str(folder / "vectors.db"))
    yield milvus
    await milvus.close()


@pytest_asyncio.fixture(scope="session", params=["pgvector", "milvus"])
async def store(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[VectorStore]:
    async with opened(request.param, postgres, tmp_path_factory.mktemp("vectors")) as store:
        yield store


@pytest_asyncio.fixture(params=["pgvector", "milvus"])
async def large_store(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> AsyncIterator[VectorStore]:
    """For thousands of items: Milvus Lite reads them all in Python at each search, which would slow the other tests."""
    async with opened(request.param, postgres, tmp_path) as store:
        yield store


@pytest.fixture
def tenant() -> str:
    return f"t{uuid.uuid4().hex}"


def directions(count: int, seed: int = 0) -> Vector:
    """Unit vectors, shape (count, DIMENSIONS)."""
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


AXES = np.eye(DIMENSIONS, dtype=np.float32)


def item(name: str, vector: Vector, document: str, **payload: str) -> Item:
    return Item(name, vector, {"document": document, **payload})


def ids(matches: list[Match]) -> list[str]:
    return [match.id for match in matches]


async def test_finds_the_nearest_first_with_their_cosine_and_payload(store: VectorStore, tenant: str) -> None:
    between = (AXES[0] * 0.8 + AXES[1] * 0.6).astype(np.float32)
    await store.replace(
        tenant, "d", [item("x", AXES[0], "d", language="fr"), item("y", between, "d"), item("z", -AXES[0], "d")]
    )
    found = await store.search(tenant, AXES[0], 10, {})
    assert ids(found) == ["x", "y", "z"]
    assert [match.score for match in found] == pytest.approx([1.0, 0.8, -1.0], abs=1e-5)
    assert found[0].payload == {"document": "d", "language": "fr"}


async def test_gives_no_more_than_asked_for(store: VectorStore, tenant: str) -> None:
    await store.replace(tenant, "d", [item(str(at), AXES[at], "d") for at in range(20)])
    for limit in (0, 1, 7, 20):
        assert len(await store.search(tenant, AXES[0], limit, {})) == limit
    assert len(await store.search(tenant, AXES[0], 100, {})) == 20


async def test_an_unknown_tenant_has_nothing(store: VectorStore, tenant: str) -> None:
    assert await store.search(tenant, AXES[0], 5, {}) == []
    await store.delete(tenant, "none")
    await store.drop(tenant)


async def test_replaces_all_items_of_a_document_and_no_others(store: VectorStore, tenant: str) -> None:
    await store.replace(tenant, "a", [item(f"a{at}", AXES[at], "a") for at in range(3)])
    await store.replace(tenant, "b", [item("b0", AXES[9], "b")])
    await store.replace(tenant, "a", [item("a1", AXES[5], "a", version="2")])
    found = {match.id: match for match in await store.search(tenant, AXES[5], 10, {})}
    assert set(found) == {"a1", "b0"}
    assert found["a1"].score == pytest.approx(1.0, abs=1e-5)
    assert found["a1"].payload["version"] == "2"


async def test_replacing_by_nothing_removes_the_document(store: VectorStore, tenant: str) -> None:
    await store.replace(tenant, "a", [item("a0", AXES[0], "a")])
    await store.replace(tenant, "a", [])
    assert await store.search(tenant, AXES[0], 10, {}) == []


async def test_of_one_id_the_last_item_is_kept(store: VectorStore, tenant: str) -> None:
    await store.replace(tenant, "a", [item("x", AXES[0], "a"), item("x", AXES[1], "a")])
    found = await store.search(tenant, AXES[1], 10, {})
    assert [(match.id, match.payload["document"]) for match in found] == [("x", "a")]
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    await store.replace(tenant, "b", [item("x", AXES[2], "b")])
    found = await store.search(tenant, AXES[2], 10, {})
    assert [(match.id, match.payload["document"]) for match in found] == [("x", "b")]


async def test_filters_by_one_value_by_any_of_several_and_by_all_keys(store: VectorStore, tenant: str) -> None:
    languages = ["fr", "ar", "en", "fr"]
    await store.replace(
        tenant,
        "d",
        [
            item(f"{at}", AXES[at], "d", language=language, topic="billing" if at < 2 else "orders")
            for at, language in enumerate(languages)
        ],
    )

    async def matching(**filters: str | tuple[str, ...]) -> set[str]:
        return set(ids(await store.search(tenant, AXES[0], 10, filters)))

    assert await matching(language="fr") == {"0", "3"}
    assert await matching(language=("ar", "en")) == {"1", "2"}
    assert await matching(language="fr", topic="orders") == {"3"}
    assert await matching(language="de") == set()
    assert await matching(unknown="fr") == set()
    assert await matching(language=()) == set()


async def test_a_rare_value_is_found_among_many_nearer_items(large_store: VectorStore, tenant: str) -> None:
    vectors = directions(1500, seed=3)
    order = np.argsort(-(vectors @ vectors[0]))
    rare = {int(at) for at in order[-3:]}
    await large_store.replace(
        tenant,
        "d",
        [item(str(at), vector, "d", kind="rare" if at in rare else "common") for at, vector in enumerate(vectors)],
    )
    found = await large_store.search(tenant, vectors[0], 10, {"kind": "rare"})
    assert set(ids(found)) == {str(at) for at in rare}


async def test_ids_documents_and_values_may_hold_any_text(store: VectorStore, tenant: str) -> None:
    await store.replace(tenant, ODD, [item(ODD, AXES[0], ODD, **{ODD: ODD})])
    await store.replace(tenant, "plain", [item("plain", AXES[1], "plain")])
    found = await store.search(tenant, AXES[0], 10, {ODD: ODD, "document": (ODD, "other")})
    assert ids(found) == [ODD]
    assert found[0].payload == {"document": ODD, ODD: ODD}
    await store.delete(tenant, ODD)
    assert ids(await store.search(tenant, AXES[0], 10, {})) == ["plain"]


async def test_a_second_tenant_with_the_same_ids_is_untouched(store: VectorStore, tenant: str) -> None:
    other = f"{tenant}-2"
    for whose, axis in ((tenant, 0), (other, 1)):
        await store.replace(whose, "d", [item("x", AXES[axis], "d", whose=whose)])
    assert [match.payload["whose"] for match in await store.search(tenant, AXES[1], 10, {})] == [tenant]
    assert await store.search(tenant, AXES[1], 10, {"whose": other}) == []
    await store.delete(tenant, "d")
    await store.drop(tenant)
    assert [match.payload["whose"] for match in await store.search(other, AXES[1], 10, {})] == [other]


@pytest.mark.parametrize("name", ["", "A", "a' OR '1'='1", 'a" or tenant != "', "a\n", "é", "a" * 64])
async def test_refuses_what_cannot_be_a_tenant(store: VectorStore, name: str) -> None:
    with pytest.raises(InternalError):
        await store.search(name, AXES[0], 1, {})
    with pytest.raises(InternalError):
        await store.drop(name)


async def test_simultaneous_replacements_leave_one_version_that_is_whole(store: VectorStore, tenant: str) -> None:
    def version(number: int) -> list[Item]:
        return [item(f"x{at}", AXES[at], "d", version=str(number)) for at in range(8)]

    await asyncio.gather(*(store.replace(tenant, "d", version(number)) for number in range(4)))
    found = await store.search(tenant, AXES[0], 100, {})
    assert len(found) == 8
    if isinstance(store, PgVector):  # Milvus has no transactions: see its module
        assert len({match.payload["version"] for match in found}) == 1


async def test_recall_against_exact_search(large_store: VectorStore, tenant: str) -> None:
    """Ten nearest of 3,000, a third of them another tenant's; at least 95 % of the exact ones."""
    vectors = directions(3000, seed=1)
    for whose, part in ((tenant, vectors[:2000]), (f"{tenant}-2", vectors[2000:])):
        await large_store.replace(whose, "d", [item(str(at), vector, "d") for at, vector in enumerate(part)])
    queries = directions(40, seed=2)
    exact = np.argsort(-(queries @ vectors[:2000].T), axis=1)[:, :10]
    hits = 0
    for query, nearest in zip(queries, exact, strict=True):
        found = await large_store.search(tenant, query, 10, {})
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
        hits += len(set(ids(found)) & {str(at) for at in nearest})
    assert hits / exact.size >= 0.95


async def test_answers_a_check(store: VectorStore) -> None:
    await store.check()


TENANTS, DOCUMENTS, IDS, COLOURS = ("ta", "tb"), ("d1", "d'2"), ("i1", "i2", "i3"), ("red", "blue")
_items = st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 7), st.sampled_from(COLOURS)), max_size=3)
_operations = st.lists(
    st.one_of(
        st.tuples(st.just("replace"), st.sampled_from(TENANTS), st.sampled_from(DOCUMENTS), _items),
        st.tuples(st.just("delete"), st.sampled_from(TENANTS), st.sampled_from(DOCUMENTS), st.just([])),
        st.tuples(st.just("drop"), st.sampled_from(TENANTS), st.just(""), st.just([])),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=_operations)
async def test_any_sequence_of_operations_agrees_with_a_dictionary(
    store: VectorStore, operations: list[tuple[str, str, str, list[tuple[str, int, str]]]]
) -> None:
    run = uuid.uuid4().hex[:8]
    model: dict[str, dict[str, tuple[int, str, str]]] = {whose: {} for whose in TENANTS}
    for kind, whose, document, written in operations:
        rows, tenant = model[whose], f"{whose}-{run}"
        if kind == "drop":
            await store.drop(tenant)
            rows.clear()
            continue
        for name in [name for name, row in rows.items() if row[1] == document]:
            del rows[name]
        if kind == "delete":
            await store.delete(tenant, document)
            continue
        await store.replace(tenant, document, [item(name, AXES[axis], document, colour=c) for name, axis, c in written])
        rows.update({name: (axis, document, colour) for name, axis, colour in written})
    for whose, rows in model.items():
        for filters in ({}, {"colour": "red"}, {"document": DOCUMENTS[1], "colour": COLOURS}):
            found = await store.search(f"{whose}-{run}", AXES[0], 10, filters)
            assert {match.id: dict(match.payload) for match in found} == {
                name: {"document": document, "colour": colour}
                for name, (_, document, colour) in rows.items()
                if filters.get("colour") in (None, colour, COLOURS) and filters.get("document") in (None, document)
            }
            assert all(match.score == pytest.approx(float(rows[match.id][0] == 0), abs=1e-5) for match in found)
