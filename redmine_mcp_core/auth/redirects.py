"""Where a client may have people sent back to, with a code that is worth a sign-in.

An address is checked when a client registers it, and again at every sign-in: against what was
registered, exactly (RFC 9700, section 2.1), and against ``MCP_ALLOWED_REDIRECT_URIS``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from fastmcp.server.auth.redirect_validation import (
    UNSAFE_REDIRECT_URI_SCHEMES,
    is_loopback_host,
    matches_allowed_pattern,
)
from pydantic import AnyUrl, TypeAdapter, ValidationError

MAX_CHARACTERS = 1000

APP_SCHEMES = frozenset({"cursor", "vscode", "vscode-insiders", "windsurf"})
"""Schemes without a dot of MCP clients that are in wide use. RFC 8252, section 7.1, wants a dot, as
in ``com.example.app``, so that who owns a scheme can be told; ``MCP_ALLOWED_REDIRECT_URIS`` may
name further ones."""

_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
"""What a URI is written with (RFC 3986, section 2). A browser reads a backslash as a slash, and
leaves out line ends."""

_URL = TypeAdapter(AnyUrl)


def problem(
    uri: str, *, allowed: Sequence[str] = (), application_type: str | None = None
) -> str | None:
    """What is wrong with a redirect URI, as the end of a sentence about it; None if nothing is.

    The rules are those of RFC 6749, section 3.1.2, RFC 8252, section 7, and OpenID Connect Dynamic
    Client Registration, section 2, for ``application_type``.
    """
    if len(uri) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters"
    if not _PLAIN.fullmatch(uri):
        return "holds a character that must be percent-encoded"
    try:
        parts, _ = urlsplit(uri), normal(uri)
        loopback, _ = is_loopback_host(parts.hostname), parts.port
    except (ValueError, ValidationError):
        return "is not an absolute URI"
    named = any(matches_allowed_pattern(uri, pattern) for pattern in allowed)
    faults = {
        "has a fragment": "#" in uri,
        "has a wildcard": "*" in uri,
        "names a user": "@" in parts.netloc,
        "goes up in its path": {".", ".."} & set(unquote(parts.path).split("/")),
        "has a scheme that runs or reads something": parts.scheme in UNSAFE_REDIRECT_URI_SCHEMES,
        "has no host": parts.scheme in {"http", "https"} and not parts.hostname,
        "must begin with https beyond this machine": parts.scheme == "http" and not loopback,
        "has a scheme without a dot (RFC 8252, section 7.1)": _without_owner(parts) and not named,
        "must be an https address of another machine, for a web application": (
            application_type == "web" and (parts.scheme != "https" or loopback)
        ),
        "is not one that this server's operator allows": allowed and not named,
    }
    return next((fault for fault, found in faults.items() if found), None)


def registered(uri: str, registered_uris: Iterable[str]) -> bool:
    """Whether a redirect URI is one of those registered: the same, but for a loopback port.

    A native client listens on whatever port is free when it signs in (RFC 8252, section 7.3).
    """
    return any(_same(uri, other) for other in registered_uris)


def normal(uri: str) -> str:
    """The URI as it will be written into a redirect. Raises ``ValidationError`` if it is none."""
    return str(_URL.validate_python(uri))


def _same(uri: str, other: str) -> bool:
    # Some metadata documents write "any port" as http://localhost:*/callback.
    other = other.replace(":*", "", 1)
    try:
        ours, theirs = urlsplit(normal(uri)), urlsplit(normal(other))
    except (ValueError, ValidationError):
        return False
    if ours == theirs:
        return True
    return (
        "http" == ours.scheme == theirs.scheme
        and is_loopback_host(ours.hostname)
        and _without_port(ours) == _without_port(theirs)
    )


def _without_owner(parts: SplitResult) -> bool:
    return "." not in parts.scheme and parts.scheme not in {"http", "https", *APP_SCHEMES}


def _without_port(parts: SplitResult) -> SplitResult:
    return parts._replace(netloc=parts.hostname or "")
