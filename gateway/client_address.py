"""The address of the client, behind proxies that can be believed."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


@lru_cache(maxsize=4096)
def client_address(peer: str, forwarded: str) -> str:
    """The client's address: the peer, or what `X-Forwarded-For` says of it.

    The header is read from the right, as far as the machines that wrote it stand in our own network (loopback or
    private addresses); what a client outside wrote into it is never believed.
    """
    address = peer
    for hop in reversed(forwarded.split(",")):
        known = _parsed(address)
        if known is None or not (known.is_private or known.is_loopback):
            break
        named = _parsed(hop.strip())
        if named is None:
            break
        address = str(named)
    return address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
