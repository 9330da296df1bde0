"""Which addresses an import may connect to: the public ones, so that no tenant can read what stands behind the server."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from servers.kit.errors import InvalidInput, UpstreamError

_Address: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class Addresses:
    """Resolves names for connections. `private` allows what an operator may have opened: an intranet, the machine itself.

    Addresses of the link, where clouds keep the credentials of their machines, are never allowed.
    """

    def __init__(self, *, private: bool = False) -> None:
        self._private = private

    async def resolve(self, host: str, port: int) -> str:
        """An address of a host to connect to; all of its addresses are checked, in whatever form the name writes one.

        Raises InvalidInput for a host that is not there or not allowed, UpstreamError when names cannot be resolved now.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise UpstreamError(f"the name {host} cannot be resolved at the moment; try again later") from None
            raise InvalidInput(f"there is no host {host}") from None
        except (UnicodeError, OSError):
            raise InvalidInput(f"{host} is no name of a host") from None
        addresses = [str(sockaddr[0]) for *_, sockaddr in found]
        if not addresses or not all(self.allows(address) for address in addresses):
            raise InvalidInput(f"{host} is at an address that is not public; imports read public ones alone")
        return addresses[0]

    def allows(self, address: str) -> bool:
        """Whether an address may be connected to, and what it stands for where it carries another one."""
        whole = ip_address(address.partition("%")[0])
        return all(self._allows(each) for each in (whole, *_carried(whole)))

    def _allows(self, address: _Address) -> bool:
        if address.is_multicast or address.is_link_local or address.is_unspecified:
            return False
        return self._private or address.is_global


def _carried(address: _Address) -> list[_Address]:
    """The IPv4 addresses within an IPv6 one: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return []
    inner: list[_Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NAT64) or (int(address) >> 32 == 0 and int(address) > 1):
        inner.append(last)
    return [each for each in inner if each is not None]
