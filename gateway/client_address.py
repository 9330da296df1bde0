"""The address of the client, behind the proxies whose word is taken."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from servers.kit.settings import Network


class Proxies:
    """The proxies in front of the gateway, by the networks they stand in."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self.client_of = lru_cache(maxsize=4096)(self._client_of)
        """The client's address: the peer's, or what `X-Forwarded-For` says of it."""

    def _client_of(self, peer: str, forwarded: str) -> str:
        # Read from the right, as far as trusted proxies wrote it; what the client itself put there is never believed.
        address = peer
        for hop in reversed(forwarded.split(",")):
            if not self._trusts(_parsed(address)):
                break
            named = _parsed(hop.strip())
            if named is None:
                break
            address = str(named)
        return address

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that takes both families shows IPv4 peers as ::ffff:127.0.0.1.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
