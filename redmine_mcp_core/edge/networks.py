"""Addresses and the networks they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """An IP address; None for anything else, such as a name or the path of a socket.

    An IPv4 address in IPv6 clothes, which is how a dual-stack socket shows it, is unclothed.
    """
    if len(text) > 45:  # the longest there is
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def holder_of(text: str) -> str:
    """Whom an address is counted as: one person has a whole /64 of IPv6 addresses."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return text if address is None else str(address)


class Networks:
    """A set of addresses, from ``10.0.0.0/8``, ``2001:db8::/32`` or a single ``192.0.2.7``."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Raises ``ValueError`` for what is no network."""
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(item, strict=False) for item in listed
        ]
        self._holds = lru_cache(maxsize=4096)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, text: str) -> bool:
        return self._holds(text)

    def _look(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)
