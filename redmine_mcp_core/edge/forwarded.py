"""Where a request really comes from, when proxies stand between.

Anybody can write a forwarding header, so it is believed only from the proxies that the operator
named, and only as far back as each hop was one of them: the right-most address that is no proxy
of ours is the client. Only one of the two kinds of header is read. A proxy sets one and passes
the other through as the client wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    return [
        (_host(hop.get("for", "")), hop.get("proto", "").lower())
        for hop in _elements(_values(scope, b"forwarded"))
    ]


def _elements(header: str) -> Iterator[dict[str, str]]:
    """The elements of ``Forwarded`` (RFC 7239, section 4); commas within quotes are text."""
    hop: dict[str, str] = {}
    end = 0
    for pair in _PAIR.finditer(header):
        if "," in header[end : pair.start()]:
            yield hop
            hop = {}
        quoted, token = pair[2], pair[3]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        hop[pair[1].lower()] = value
        end = pair.end()
    yield hop


def _host(text: str) -> str:
    """The address without its port: ``192.0.2.1:80``, ``[2001:db8::1]:80``, or the bare ones."""
    text = text.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
