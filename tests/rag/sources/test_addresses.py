"""Where an import may connect to."""

from __future__ import annotations

import pytest

from servers.kit.errors import InvalidInput
from servers.rag.sources.addresses import Addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001:db8::1", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not Addresses().allows(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "196.200.131.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert Addresses().allows(address)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "224.0.0.1", "0.0.0.0", "2002:a9fe:a9fe::"]
)
def test_what_an_operator_opens_holds_no_cloud_s_credentials(address: str) -> None:
    assert Addresses(private=True).allows("10.0.0.1")
    assert Addresses(private=True).allows("127.0.0.1")
    assert not Addresses(private=True).allows(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "::1", "[::1]", ""]
)
async def test_hosts_are_known_by_their_addresses_however_they_are_written(host: str) -> None:
    with pytest.raises(InvalidInput):
        await Addresses().resolve(host, 80)
