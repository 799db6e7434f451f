"""Which redirect URIs match the registered ones: Doorkeeper's ``URIChecker``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlencode, urlsplit


def matches_redirect_uri(uri: str, registered: Iterable[str]) -> bool:
    """Whether a redirect URI may be used where ``registered`` ones are known.

    Exact, with two exceptions: a query is tolerated, and a loopback *address* may have any port
    (RFC 8252, section 7.3). The name ``localhost`` is no address: its port counts.
    """
    try:
        asked = urlsplit(uri)
        if not asked.scheme or not asked.netloc or asked.fragment:
            return False
        return any(_comparable(asked) == _comparable(urlsplit(known)) for known in registered)
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False


def add_query(uri: str, params: dict[str, str]) -> str:
    """The URI with parameters appended to its query; empty ones are left out."""
    parts = urlsplit(uri)
    added = urlencode({name: value for name, value in params.items() if value})
    return parts._replace(query="&".join(filter(None, (parts.query, added)))).geturl()


def _comparable(parts: SplitResult) -> tuple[str, str | None, int | None, str]:
    port = None if _is_loopback_address(parts.hostname) else parts.port
    return parts.scheme, parts.hostname, port, parts.path


def _is_loopback_address(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
