"""Where a request comes from: believed from the proxies we know, and only as far as they vouch."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from redmine_mcp_core.edge.forwarded import (
    STRANGE,
    Forwarded,
    _hops_of_forwarded,
    client_behind,
)
from redmine_mcp_core.edge.networks import Networks
from redmine_mcp_core.edge.settings import HeaderKind
from tests.edge.asgi import echo, http_to

TRUSTED = Networks(["10.0.0.0/8", "2001:db8:1::/48"])
PROXY = "10.0.0.1"


async def seen(peer: str, headers: list[tuple[str, str]], kind: HeaderKind) -> dict[str, Any]:
    async with http_to(Forwarded(echo, trusted=TRUSTED, kind=kind), peer=peer) as http:
        answer: dict[str, Any] = (await http.get("/", headers=headers)).json()
        return answer


FOR, PROTO = "X-Forwarded-For", "X-Forwarded-Proto"


@pytest.mark.parametrize(
    ("headers", "client", "scheme"),
    [
        ([(FOR, "198.51.100.7"), (PROTO, "https")], "198.51.100.7", "https"),
        ([(FOR, "198.51.100.7:5123")], "198.51.100.7", "http"),
        ([(FOR, "[2001:db8:2::7]:5123")], "2001:db8:2::7", "http"),
        ([(FOR, "2001:db8:2::7")], "2001:db8:2::7", "http"),
        # What the client wrote itself stands on the left, and is not reached.
        ([(FOR, "192.0.2.1, 198.51.100.7")], "198.51.100.7", "http"),
        ([(FOR, "192.0.2.1"), (FOR, "198.51.100.7, 10.9.9.9")], "198.51.100.7", "http"),
        ([(FOR, "10.1.1.1, 198.51.100.7")], "198.51.100.7", "http"),
        ([(PROTO, "http, https"), (FOR, "198.51.100.7")], "198.51.100.7", "https"),
        # Only proxies of ours: the farthest of them asked.
        ([(FOR, "10.1.1.1, 10.2.2.2")], "10.1.1.1", "http"),
        # What is no address stops the search, and the proxy itself counts.
        ([(FOR, "198.51.100.7, unknown")], PROXY, "http"),
        ([(FOR, "localhost")], PROXY, "http"),
        ([(FOR, "")], PROXY, "http"),
        ([(FOR, "198.51.100.7"), (PROTO, "javascript")], "198.51.100.7", "http"),
        # The other kind of header is what the client wrote.
        ([("Forwarded", "for=192.0.2.1;proto=https")], PROXY, "http"),
    ],
)
async def test_x_forwarded(headers: list[tuple[str, str]], client: str, scheme: str) -> None:
    """The right-most address that is no proxy of ours is the client."""
    told = await seen(PROXY, headers, "x-forwarded")

    assert (client, scheme) == (told["client"], told["scheme"])


@pytest.mark.parametrize(
    ("header", "client", "scheme"),
    [
        ("for=198.51.100.7;proto=https", "198.51.100.7", "https"),
        ('For="[2001:db8:2::7]:4711"', "2001:db8:2::7", "http"),
        ("for=192.0.2.1, for=198.51.100.7;by=10.0.0.1", "198.51.100.7", "http"),
        ('for="a,b;c", for=198.51.100.7', "198.51.100.7", "http"),
        ("for=198.51.100.7;proto=https, for=10.2.2.2;proto=http", "198.51.100.7", "https"),
        ("for=_hidden, for=10.2.2.2", PROXY, "http"),
        ("by=10.0.0.1", PROXY, "http"),
        ("", PROXY, "http"),
    ],
)
async def test_forwarded(header: str, client: str, scheme: str) -> None:
    """RFC 7239 means the same, and X-Forwarded-For is what the client wrote then."""
    headers = [("Forwarded", header), (FOR, "192.0.2.99")]
    told = await seen(PROXY, headers, "forwarded")

    assert (client, scheme) == (told["client"], told["scheme"])


QUOTED = 'for="[2001:db8:2::7]:4711";by="10.0.0.1:80"'
"""What a proxy adds."""


@pytest.mark.parametrize(
    "written",
    [
        'for=127.0.0.1;x="',
        'for=127.0.0.1, for="',
        'for=127.0.0.1;x="\\',
        'for=127.0.0.1;x="",',
        ",,,",
        "for=127.0.0.1" * 100,
    ],
)
@pytest.mark.parametrize("lines", [1, 2])
async def test_a_quote_left_open_swallows_nothing(written: str, lines: int) -> None:
    """Else a client would choose its own address, and be the operator, or somebody else."""
    headers = [written, QUOTED] if lines == 2 else [f"{written}, {QUOTED}"]
    told = await seen(PROXY, [("Forwarded", line) for line in headers], "forwarded")

    assert told["client"] == "2001:db8:2::7"


def test_a_hostile_header_costs_little() -> None:
    """Where nothing can be read, the search ends."""
    for line in ("," * 16_000, '"' * 16_000, "a=b;" * 4_000, 'a="' * 5_000, "a=b," * 4_000):
        scope = {"headers": [(b"forwarded", line.encode())] * 2}
        began = process_time()
        assert len(_hops_of_forwarded(scope)) <= 32
        assert process_time() - began < 1


@pytest.mark.parametrize("kind", ["x-forwarded", "forwarded"])
async def test_a_stranger_is_not_believed(kind: HeaderKind) -> None:
    """Whoever writes such a header and is no proxy of ours is counted as themselves."""
    headers = [(FOR, "192.0.2.1"), (PROTO, "https"), ("Forwarded", "for=192.0.2.1;proto=https")]
    told = await seen("203.0.113.9", headers, kind)

    assert (told["client"], told["scheme"]) == ("203.0.113.9", "http")


async def test_a_request_through_a_stranger_is_marked() -> None:
    """So that nobody takes a proxy on this machine for its operator, nor one of ours that does not
    say for whom it asks."""
    scopes = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    forwarded = Forwarded(app, trusted=Networks([]), kind="x-forwarded")
    async with http_to(forwarded, peer="127.0.0.1") as http:
        await http.get("/", headers={FOR: "192.0.2.1"})
        await http.get("/")
    trusted = Forwarded(app, trusted=Networks(["127.0.0.1"]), kind="forwarded")
    async with http_to(trusted, peer="127.0.0.1") as http:
        for header in ("for=192.0.2.1", "for=unknown", 'for="', ""):
            await http.get("/", headers={"Forwarded": header})

    assert [scope.get(STRANGE) for scope in scopes] == [True, None, None, True, True, True]


def test_a_long_chain_is_not_followed_to_its_end() -> None:
    """A header of thousands of hops costs no more than one of some dozens."""
    hops = [("198.51.100.7", ""), *[("10.0.0.1", "")] * 5000]

    assert client_behind(hops, TRUSTED) == ("10.0.0.1", "")


def test_an_ipv4_address_in_ipv6_clothes() -> None:
    """A dual-stack socket shows 10.0.0.1 as ::ffff:10.0.0.1, which is the same proxy."""
    assert "::ffff:10.0.0.1" in TRUSTED
    assert "::ffff:11.0.0.1" not in TRUSTED
    assert "no address" not in TRUSTED
