"""Whose word is taken for the client's address."""

from __future__ import annotations

import pytest

from gateway.client_address import client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "41.248.1.2", "41.248.1.2"),
        ("10.0.0.3", "41.248.1.2, 10.0.0.9", "41.248.1.2"),
        ("10.0.0.3", "6.6.6.6, 41.248.1.2", "41.248.1.2"),
        ("41.248.1.2", "6.6.6.6", "41.248.1.2"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("::1", "2a00::5", "2a00::5"),
        ("", "6.6.6.6", ""),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, forwarded: str, address: str) -> None:
    assert client_address(peer, forwarded) == address
