"""What a bridge is told: the address and the flags, checked before anything is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx2

from redmine_mcp_core.connect.errors import ConnectError

StoreKind = Literal["auto", "keyring", "file"]

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~\w]+):\s*(.*)", re.ASCII)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Options:
    """One server, and how to reach it and sign in there."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent to the MCP server only, never to its authorization server."""
    allow_tools: Sequence[str] = ()
    ignore_tools: Sequence[str] = ()
    scope: str | None = None
    resource: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_metadata_url: str | None = None
    callback_port: int | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    browser: bool = True
    device: bool = False
    ca_bundle: Path | None = None
    allow_http: bool = False
    store: StoreKind = "auto"
    sign_in_timeout: float = 300
    """Seconds that a person has to sign in."""


def read_options(
    url: str,
    *,
    header: Sequence[str] = (),
    client_secret_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    allow_http: bool = False,
    client_metadata_url: str | None = None,
    **others: object,
) -> Options:
    """The options as they were typed, checked. Secrets come from files and the environment.

    Raises:
        ConnectError: an address, header or file that cannot work.
    """
    secret = environment.get("MCP_CONNECT_CLIENT_SECRET") or None
    if client_secret_file:
        secret = read_secret(client_secret_file)
    if client_metadata_url and not client_metadata_url.startswith("https://"):
        raise ConnectError("--client-metadata-url has to be an https address: it is the client ID.")
    return Options(
        url=checked_url(url, allow_http=allow_http),
        headers=_read_headers(header, environment),
        client_secret=secret,
        client_metadata_url=client_metadata_url,
        token=environment.get("MCP_CONNECT_TOKEN") or None,
        allow_http=allow_http,
        **others,  # type: ignore[arg-type]
    )


def checked_url(url: str, *, allow_http: bool = False) -> str:
    """The address, if it may be talked to: https anywhere, http on this machine only.

    The same holds for addresses that a server names: one that is no web address at all must never
    reach the browser (CVE-2025-6514).
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        raise ConnectError(f"{url!r} is no address. It looks like https://host/mcp.") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConnectError(f"{url!r} is no web address. It looks like https://host/mcp.")
    if parsed.scheme == "http" and not allow_http and not is_loopback(parsed.host):
        raise ConnectError(
            f"http://{parsed.host} is not encrypted: use https, or --allow-http in a network you "
            "trust."
        )
    return str(parsed.copy_with(fragment=None))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    return host in _LOOPBACK or host.startswith("127.")


def read_secret(path: Path) -> str:
    """A secret from a file. Raises ``ConnectError`` where there is none."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConnectError(f"{path} cannot be read: {error.strerror}.") from None
    if not secret:
        raise ConnectError(f"{path} is empty.")
    return secret


def _read_headers(lines: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if not match:
            raise ConnectError(f'--header looks like "Name: value", not like {line[:20]!r}.')
        name, value = match.groups()
        missing = [var for var in _VARIABLE.findall(value) if var not in environment]
        if missing:
            raise ConnectError(f"--header {name}: {missing[0]} is not set in the environment.")
        headers[name] = _VARIABLE.sub(lambda found: environment[found[1]], value)
    return headers
