"""Where a request really comes from, when proxies stand between.

Anybody can write a forwarding header, so it is believed only from the proxies that the operator
named, and only as far back as each hop was one of them: the right-most address that is no proxy
of ours is the client. Only one of the two kinds of header is read. A proxy sets one and passes
the other through as the client wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.edge.networks import Networks, parse_address
from redmine_mcp_core.edge.settings import HeaderKind
from redmine_mcp_core.observability.logs import log

Hop = tuple[str, str]
"""The address that a proxy saw, and the scheme it was asked by; empty where it does not say."""

STRANGE = "redmine_mcp.forwarded_by_stranger"
"""Set in the scope of a request whose forwarding headers nobody vouches for."""

PEER = "redmine_mcp.peer"
"""Where in the scope the address stands that the connection came from, proxy or not."""

_HEADERS = frozenset(
    b"forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip".split()
)
"""Any of these shows that a proxy stood between, also one that does not say for whom."""
_PAIR = re.compile(r'([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))', re.IGNORECASE)
_ELEMENT = re.compile(rf"\s*{_PAIR.pattern}(?:\s*;\s*{_PAIR.pattern})*\s*", re.IGNORECASE)
_MAX_ELEMENT = 512
_MAX_HOPS = 32


class Forwarded:
    """Puts the real client and scheme into the scope. ``client_of`` then tells whom to count."""

    def __init__(self, app: ASGIApp, *, trusted: Networks, kind: HeaderKind) -> None:
        self._app = app
        self._trusted = trusted
        self._hops = _hops_of_x_forwarded if kind == "x-forwarded" else _hops_of_forwarded
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PEER] = (scope.get("client") or ("",))[0]
        if scope["type"] == "http" and any(name in _HEADERS for name, _ in scope["headers"]):
            self._read(scope)
        await self._app(scope, receive, send)

    def _read(self, scope: Scope) -> None:
        peer = (scope["client"] or ("",))[0]
        if peer not in self._trusted:
            scope[STRANGE] = True
            if not self._warned:
                self._warned = True
                log.warning("proxy_not_trusted", peer=peer, setting="MCP_TRUSTED_PROXIES")
            return
        address, scheme = client_behind(self._hops(scope), self._trusted)
        if not address:
            scope[STRANGE] = True  # a proxy that does not say for whom it asks, or not to be read
        if scheme in {"http", "https"}:
            scope["scheme"] = scheme
        if address:
            scope["client"] = (address, 0)


def client_behind(hops: Sequence[Hop], trusted: Networks) -> Hop:
    """The address and scheme of the client, from what each proxy saw, the nearest one last.

    Where a proxy of ours saw something that is no address (``unknown``, RFC 7239 section 6.2),
    nothing before it can be believed: then both are empty, and the proxy itself is the client.
    """
    address = scheme = ""
    for seen, asked_by in reversed(hops[-_MAX_HOPS:]):
        if parse_address(seen) is None:
            return "", ""
        address, scheme = seen, asked_by or scheme
        if seen not in trusted:
            break
    return address, scheme


def _values(scope: Scope, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _hops_of_x_forwarded(scope: Scope) -> list[Hop]:
    seen = [_host(item) for item in _values(scope, b"x-forwarded-for").split(",") if item.strip()]
    # Proxies overwrite the scheme rather than append to it, so the nearest one's word holds.
    scheme = _values(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
    return [(address, scheme) for address in seen]


def _hops_of_forwarded(scope: Scope) -> list[Hop]:
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == b"forwarded"]
    return [
        (_host(hop.get("for", "")), hop.get("proto", "").lower())
        for hop in reversed([*islice(_from_the_right(lines), _MAX_HOPS)])
    ]


def _from_the_right(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    """The elements of ``Forwarded`` (RFC 7239, section 4), the nearest proxy's first.

    Each is the shortest text before a comma that is one, so that a quote which the client left open
    swallows nothing that a proxy added behind it. At what cannot be read, the search ends.
    """
    for line in reversed(lines):
        end = len(line)
        while end > 0:
            begin = end
            while begin > 0:
                begin = line.rfind(",", 0, begin)
                if end - begin > _MAX_ELEMENT:
                    return
                if _ELEMENT.fullmatch(line, begin + 1, end):
                    break
            else:
                return
            yield _pairs(line[begin + 1 : end])
            end = begin


def _pairs(element: str) -> dict[str, str]:
    return {
        pair[1].lower(): pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
        for pair in _PAIR.finditer(element)
    }


def _host(text: str) -> str:
    """The address without its port: ``192.0.2.1:80``, ``[2001:db8::1]:80``, or the bare ones."""
    text = text.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
