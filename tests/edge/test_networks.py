"""Addresses, as they are counted."""

from __future__ import annotations

import pytest

from redmine_mcp_core.edge.networks import holder_of

HOLDERS = {
    "203.0.113.7": "203.0.113.7",
    "::ffff:203.0.113.7": "203.0.113.7",
    "2001:db8:0:1::7": "2001:db8:0:1::/64",
    "2001:db8:0:1:ffff::": "2001:db8:0:1::/64",
    "2001:db8:0:2::7": "2001:db8:0:2::/64",
    "unknown": "unknown",
    "": "",
}


@pytest.mark.parametrize("address", HOLDERS)
def test_a_person_has_one_address_or_one_network(address: str) -> None:
    """An IPv4 address, however a socket writes it; of IPv6 a /64, which is what one line gets."""
    assert holder_of(address) == HOLDERS[address]
