"""Whose word is taken for the client's address."""

from __future__ import annotations

import pytest

from gateway.client_address import Proxies
from servers.kit.settings import PREFIX, read_settings


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "41.248.1.2", "41.248.1.2"),
        ("10.2.0.3", "41.248.1.2, 10.2.0.9", "41.248.1.2"),
        ("10.2.0.3", "6.6.6.6, 41.248.1.2", "41.248.1.2"),
        ("10.3.0.3", "41.248.1.2", "10.3.0.3"),
        ("41.248.1.2", "6.6.6.6", "41.248.1.2"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("::1", "2a00::5", "2a00::5"),
        ("::ffff:10.2.0.3", "41.248.1.2", "41.248.1.2"),
        ("", "6.6.6.6", ""),
    ],
)
def test_only_trusted_proxies_are_believed(
    monkeypatch: pytest.MonkeyPatch, peer: str, forwarded: str, address: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}TRUSTED_PROXIES", "127.0.0.0/8, ::1/128, 10.2.0.0/16")
    assert Proxies(read_settings().trusted_proxies).client_of(peer, forwarded) == address


@pytest.mark.parametrize(("peer", "address"), [("127.0.0.1", "1.1.1.1"), ("::1", "1.1.1.1"), ("10.0.0.1", "10.0.0.1")])
def test_by_default_only_this_machine_is_believed(peer: str, address: str) -> None:
    assert Proxies(read_settings().trusted_proxies).client_of(peer, "1.1.1.1") == address


def test_nobody_need_be_believed() -> None:
    assert Proxies(read_settings(trusted_proxies=()).trusted_proxies).client_of("127.0.0.1", "1.1.1.1") == "127.0.0.1"
