"""What is sealed can be read in its place, by who has the secret, and by nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.sealing import Broken, Seal

SEAL = Seal(b"s" * 32, "tests")


@given(st.binary(max_size=200), st.text(max_size=50))
def test_what_is_sealed_comes_back_and_looks_like_nothing(content: bytes, place: str) -> None:
    sealed = SEAL.seal(content, place)
    assert SEAL.open(sealed, place) == content
    assert sealed != SEAL.seal(content, place)
    assert len(content) < 4 or content not in sealed


@pytest.mark.parametrize(
    ("seal", "place", "change"),
    [
        (Seal(b"t" * 32, "tests"), "here", bytes),
        (Seal(b"s" * 32, "others"), "here", bytes),
        (SEAL, "there", bytes),
        (SEAL, "here", lambda sealed: sealed[:-1]),
        (SEAL, "here", lambda sealed: bytes([sealed[0] ^ 1]) + sealed[1:]),
        (SEAL, "here", lambda sealed: b""),
    ],
)
def test_another_secret_purpose_or_place_or_a_change_breaks_it(seal: Seal, place: str, change) -> None:
    with pytest.raises(Broken):
        seal.open(change(SEAL.seal(b"secret", "here")), place)
