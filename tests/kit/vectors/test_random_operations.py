"""Random operations of two tenants with the same ids, documents and texts, beside a dictionary: nothing leaks."""

from __future__ import annotations

import uuid
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.kit.vectors import Item, VectorStore
from servers.kit.vectors.interfaces import Filters
from tests.kit.vectors.items import AXES, item, terms

TENANTS, DOCUMENTS, IDS, VERSIONS, COLOURS = (
    ("ta", "tb"),
    ("d1", "d'2"),
    ("i1", "i2", "i3"),
    ("1", "2"),
    ("red", "blue"),
)

ASKED = {0: 2.0, 1: 0.25}


class Row(NamedTuple):
    """What the model keeps of an item."""

    axis: int
    word: int
    document: str
    version: str
    colour: str


_items = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.builds(
            Row,
            st.integers(0, 3),
            st.integers(0, 3),
            st.sampled_from(DOCUMENTS),
            st.sampled_from(VERSIONS),
            st.sampled_from(COLOURS),
        ),
    ),
    max_size=4,
)
_operations = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "prune", "delete", "drop")),
        st.sampled_from(TENANTS),
        st.sampled_from(DOCUMENTS),
        st.sampled_from(VERSIONS),
        _items,
    ),
    min_size=1,
    max_size=10,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=_operations)
async def test_any_sequence_of_operations_agrees_with_a_dictionary(
    store: VectorStore, operations: list[tuple[str, str, str, str, list[tuple[str, Row]]]]
) -> None:
    run = uuid.uuid4().hex[:8]
    model: dict[str, dict[str, Row]] = {whose: {} for whose in TENANTS}
    for kind, whose, document, version, written in operations:
        rows, tenant = model[whose], f"{whose}-{run}"
        if kind == "put":
            await store.put(tenant, [_item(name, row) for name, row in written])
            rows.update(written)
        elif kind == "prune":
            await store.prune(tenant, document, version)
            model[whose] = {k: row for k, row in rows.items() if row.document != document or row.version == version}
        elif kind == "delete":
            await store.delete(tenant, document)
            model[whose] = {name: row for name, row in rows.items() if row.document != document}
        else:
            await store.drop(tenant)
            rows.clear()
    questions: list[Filters] = [{}, {"colour": "red"}, {"document": DOCUMENTS[1], "colour": COLOURS}]
    for whose, rows in model.items():
        for filters in questions:
            found = await store.search(f"{whose}-{run}", AXES[0], terms(ASKED), 10, filters)
            expected = {
                name: row
                for name, row in rows.items()
                if filters.get("colour") in (None, row.colour, COLOURS)
                and filters.get("document") in (None, row.document)
            }
            assert {match.id: match.payload for match in found} == {
                name: _item(name, row).payload for name, row in expected.items()
            }
            for match in found:
                row = expected[match.id]
                assert match.nearness == pytest.approx(float(row.axis == 0), abs=1e-5)
                assert match.overlap == pytest.approx(ASKED.get(row.word, 0.0))


def _item(name: str, row: Row) -> Item:
    return item(name, AXES[row.axis], row.document, {row.word: 1.0}, version=row.version, colour=row.colour)
