"""What every vector store promises."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from servers.kit.errors import InternalError
from servers.kit.vectors import Item, VectorStore
from tests.kit.vectors.items import AXES, NOWHERE, SILENT, directions, ids, item, terms

ODD = """l'été "2026" \\ %_{x} $1 ' OR tenant != '' or 1 == 1 [فاتورة] 🙂\n\t"""


async def test_finds_the_nearest_first_with_both_measures_and_payload(store: VectorStore, tenant: str) -> None:
    between = (AXES[0] * 0.8 + AXES[1] * 0.6).astype(np.float32)
    items = [
        item("x", AXES[0], "d", {3: 0.5, 8: 1.5}, language="fr"),
        item("y", between, "d", {8: 2.0, 4_194_303: 1.0}),
        item("z", -AXES[0], "d"),
    ]
    await store.put(tenant, items)
    found = await store.search(tenant, AXES[0], terms({8: 3.0, 9: 1.0, 4_194_303: 0.5}), 10, {})
    assert ids(found) == ["x", "y", "z"]
    assert [match.nearness for match in found] == pytest.approx([1.0, 0.8, -1.0], abs=1e-5)
    assert [match.overlap for match in found] == pytest.approx([4.5, 6.5, 0.0], abs=1e-5)
    assert found[0].payload == {"document": "d", "version": "1", "language": "fr"}


async def test_either_measure_alone_decides_where_the_other_is_not_asked(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item(str(at), AXES[at], "d", {at: 1.0, 100: float(at)}) for at in range(1, 7)])
    by_terms = await store.search(tenant, NOWHERE, terms({100: 1.0, 1: 0.5, 77: 9.0}), 3, {})
    assert {match.id: match.overlap for match in by_terms} == pytest.approx({"6": 6.0, "5": 5.0, "4": 4.0})
    assert {match.nearness for match in by_terms} == {0.0}
    by_vector = await store.search(tenant, AXES[2], SILENT, 1, {})
    assert [(match.id, match.overlap) for match in by_vector] == [("2", 0.0)]
    assert await store.search(tenant, NOWHERE, SILENT, 3, {}) == []


async def test_gives_the_best_by_each_measure_none_twice(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item(str(at), AXES[0] if at < 4 else AXES[1], "d", {5: 10.0 - at}) for at in range(10)])
    found = await store.search(tenant, AXES[1], terms({5: 1.0}), 3, {})
    assert {"0", "1", "2"} < set(ids(found))
    assert len(found) == 6 == len(set(ids(found)))
    assert all(match.overlap == pytest.approx(10.0 - int(match.id)) for match in found)


async def test_gives_no_more_than_asked_for(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item(str(at), AXES[at], "d", {7: 1.0 + at, 8: 0.1}) for at in range(20)])
    for limit in (0, 1, 7, 20):
        assert len(await store.search(tenant, AXES[0], SILENT, limit, {})) == limit
        assert len(await store.search(tenant, NOWHERE, terms({7: 1.0}), limit, {})) == limit
    assert len(await store.search(tenant, AXES[0], terms({7: 1.0}), 100, {})) == 20


async def test_a_term_of_little_weight_is_enough_where_no_other_is_held(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item("a", AXES[0], "d", {1: 1.0}), item("b", AXES[1], "d", {2: 1.0})])
    found = await store.search(tenant, NOWHERE, terms({1: 100.0, 2: 0.5, 3: 50.0}), 10, {})
    assert {match.id: match.overlap for match in found} == pytest.approx({"a": 100.0, "b": 0.5})


async def test_an_unknown_tenant_has_nothing(store: VectorStore, tenant: str) -> None:
    assert await store.search(tenant, AXES[0], terms({1: 1.0}), 5, {}) == []
    await store.prune(tenant, "none", "1")
    await store.delete(tenant, "none")
    await store.drop(tenant)


async def test_prunes_all_versions_of_a_document_but_one(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item(f"a@1#{at}", AXES[at], "a") for at in range(3)])
    await store.put(tenant, [item("b@1#0", AXES[9], "b")])
    await store.put(tenant, [item("a@2#0", AXES[5], "a", version="2"), item("a@3#0", AXES[6], "a", version="3")])
    assert len(await store.search(tenant, AXES[5], SILENT, 10, {})) == 6
    await store.prune(tenant, "a", "2")
    await store.prune(tenant, "a", "2")
    assert set(ids(await store.search(tenant, AXES[5], SILENT, 10, {}))) == {"a@2#0", "b@1#0"}
    await store.prune(tenant, "a", "9")
    assert ids(await store.search(tenant, AXES[5], SILENT, 10, {})) == ["b@1#0"]


async def test_of_one_id_the_last_item_is_kept(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item("x", AXES[0], "a", {1: 1.0}), item("x", AXES[1], "a", {2: 1.0})])
    found = await store.search(tenant, AXES[1], terms({1: 1.0, 2: 5.0}), 10, {})
    assert [(match.id, match.payload["document"], match.overlap) for match in found] == [("x", "a", 5.0)]
    assert found[0].nearness == pytest.approx(1.0, abs=1e-5)
    await store.put(tenant, [item("x", AXES[2], "b")])
    found = await store.search(tenant, AXES[2], terms({1: 1.0, 2: 5.0}), 10, {})
    assert [(match.id, match.payload["document"], match.overlap) for match in found] == [("x", "b", 0.0)]
    await store.delete(tenant, "a")
    assert ids(await store.search(tenant, AXES[2], SILENT, 10, {})) == ["x"]


async def test_putting_nothing_changes_nothing(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item("x", AXES[0], "a")])
    await store.put(tenant, [])
    assert ids(await store.search(tenant, AXES[0], SILENT, 10, {})) == ["x"]


async def test_filters_by_one_value_by_any_of_several_and_by_all_keys(store: VectorStore, tenant: str) -> None:
    languages = ["fr", "ar", "en", "fr"]
    await store.put(
        tenant,
        [
            item(f"{at}", AXES[at], "d", {1: 1.0}, language=language, topic="billing" if at < 2 else "orders")
            for at, language in enumerate(languages)
        ],
    )

    async def matching(**filters: str | tuple[str, ...]) -> set[str]:
        by_vector = ids(await store.search(tenant, AXES[0], SILENT, 10, filters))
        assert set(ids(await store.search(tenant, NOWHERE, terms({1: 1.0}), 10, filters))) == set(by_vector)
        return set(by_vector)

    assert await matching(language="fr") == {"0", "3"}
    assert await matching(language=("ar", "en")) == {"1", "2"}
    assert await matching(language="fr", topic="orders") == {"3"}
    assert await matching(language=("fr", "ar"), topic=("billing",)) == {"0", "1"}
    assert await matching(language="de") == set()
    assert await matching(unknown="fr") == set()
    assert await matching(language=()) == set()


async def test_a_rare_value_is_found_among_many_nearer_items(large_store: VectorStore, tenant: str) -> None:
    vectors = directions(2500, seed=3)
    order = np.argsort(-(vectors @ vectors[0]))
    rare = {int(at) for at in order[-3:]}
    await large_store.put(
        tenant,
        [
            item(str(at), vector, "d", {1: 0.1 if at in rare else 1.0}, kind="rare" if at in rare else "common")
            for at, vector in enumerate(vectors)
        ],
    )
    for vector, spoken in ((vectors[0], SILENT), (NOWHERE, terms({1: 1.0, 2: 9.0}))):
        found = await large_store.search(tenant, vector, spoken, 10, {"kind": "rare"})
        assert set(ids(found)) == {str(at) for at in rare}


async def test_ids_documents_and_values_may_hold_any_text(store: VectorStore, tenant: str) -> None:
    await store.put(tenant, [item(ODD, AXES[0], ODD, {1: 1.0}, **{ODD: ODD, "version": ODD})])
    await store.put(tenant, [item("plain", AXES[1], "plain")])
    found = await store.search(tenant, AXES[0], terms({1: 1.0}), 10, {ODD: ODD, "document": (ODD, "other")})
    assert ids(found) == [ODD]
    assert found[0].payload == {"document": ODD, "version": ODD, ODD: ODD}
    await store.prune(tenant, ODD, ODD)
    assert ODD in ids(await store.search(tenant, AXES[0], SILENT, 10, {}))
    await store.delete(tenant, ODD)
    assert ids(await store.search(tenant, AXES[0], SILENT, 10, {})) == ["plain"]


async def test_a_second_tenant_with_the_same_ids_is_untouched(store: VectorStore, tenant: str) -> None:
    other = f"{tenant}-2"
    for whose, axis in ((tenant, 0), (other, 1)):
        await store.put(whose, [item("x", AXES[axis], "d", {1: 1.0}, whose=whose)])
    for vector, spoken in ((AXES[1], SILENT), (NOWHERE, terms({1: 1.0}))):
        assert [match.payload["whose"] for match in await store.search(tenant, vector, spoken, 10, {})] == [tenant]
        assert await store.search(tenant, vector, spoken, 10, {"whose": other}) == []
    await store.prune(tenant, "d", "2")
    await store.delete(tenant, "d")
    await store.drop(tenant)
    assert [match.payload["whose"] for match in await store.search(other, AXES[1], SILENT, 10, {})] == [other]


@pytest.mark.parametrize("name", ["", "A", "a' OR '1'='1", 'a" or tenant != "', "a\n", "é", "a" * 64])
async def test_refuses_what_cannot_be_a_tenant(store: VectorStore, name: str) -> None:
    for call in (
        store.put(name, [item("x", AXES[0], "d")]),
        store.search(name, AXES[0], SILENT, 1, {}),
        store.prune(name, "d", "1"),
        store.delete(name, "d"),
        store.drop(name),
    ):
        with pytest.raises(InternalError):
            await call


async def test_simultaneous_writers_leave_every_item_once(store: VectorStore, tenant: str) -> None:
    def version(number: int) -> list[Item]:
        names = list(range(8))[:: 1 if number % 2 else -1]
        return [item(f"x{at}", AXES[at], "d", version=str(number)) for at in names]

    await asyncio.gather(*(store.put(tenant, version(number)) for number in range(4)))
    found = await store.search(tenant, AXES[0], SILENT, 100, {})
    assert sorted(ids(found)) == [f"x{at}" for at in range(8)]


async def test_recall_against_exact_search(large_store: VectorStore, tenant: str) -> None:
    """Ten nearest of 2,500, and of the tenth that a filter leaves, another tenant beside them: 95 % of the exact ones."""
    vectors = directions(3000, seed=1)
    tenths = [str(at % 10) for at in range(len(vectors))]
    for whose, first, last in ((tenant, 0, 2500), (f"{tenant}-2", 2500, 3000)):
        await large_store.put(whose, [item(str(at), vectors[at], "d", tenth=tenths[at]) for at in range(first, last)])
    queries = directions(30, seed=2)
    for filters, among in (({}, np.arange(2500)), ({"tenth": "7"}, np.arange(7, 2500, 10))):
        exact = among[np.argsort(-(queries @ vectors[among].T), axis=1)[:, :10]]
        hits = 0
        for query, nearest in zip(queries, exact, strict=True):
            found = await large_store.search(tenant, query, SILENT, 10, filters)
            assert [match.nearness for match in found] == sorted((match.nearness for match in found), reverse=True)
            hits += len(set(ids(found)) & {str(at) for at in nearest})
        assert hits / exact.size >= 0.95


async def test_answers_a_check(store: VectorStore) -> None:
    await store.check()
