"""Tokens of pages, ours and those of strangers."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit import paging
from servers.kit.errors import InvalidInput

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=zones)


@given(texts.filter(bool))
def test_a_key_comes_back(key: str) -> None:
    assert paging.key(paging.token(key)) == key


@given(moments, texts)
def test_a_moment_and_a_key_come_back(moment: datetime, key: str) -> None:
    found = paging.moment_and_key(paging.token(moment, key))
    assert found == (moment, key)
    assert found[0].tzinfo is UTC


def test_no_token_is_the_first_page() -> None:
    assert paging.key("") == ""
    assert paging.moment_and_key("") is None


@given(st.text(max_size=600).filter(bool) | st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_nothing_but_ours_is_taken(token: str) -> None:
    for read in (paging.key, paging.moment_and_key):
        with suppress(InvalidInput):  # and nothing else is raised
            read(token)


@pytest.mark.parametrize(
    "position",
    [
        ["2026-01-01", 1],
        ["not a moment", "key"],
        ["0001-01-01T00:00:00+14:00", "key"],
        ["2026-01-01T00:00:00Z", "k\0y"],
        ["2026-01-01T00:00:00Z"],
        {"2026-01-01T00:00:00Z": "key"},
        [[], "key"],
        None,
    ],
)
def test_a_forged_position(position: object) -> None:
    if not position:
        return
    with pytest.raises(InvalidInput):
        paging.moment_and_key(base64.urlsafe_b64encode(orjson.dumps(position)).decode())


@pytest.mark.parametrize("position", [["k\0y"], [1], [], ["a", "b"], "a"])
def test_a_forged_key(position: object) -> None:
    with pytest.raises(InvalidInput):
        paging.key(base64.urlsafe_b64encode(orjson.dumps(position)).decode())


def test_sizes() -> None:
    assert paging.size(0) == 50
    assert paging.size(7) == 7
