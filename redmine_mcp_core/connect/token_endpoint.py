"""What the token endpoint says: to a code, a device code, a refresh token (RFC 6749 5).

Plain HTTP and no SDK: a bridge that only refreshes need not import it.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from redmine_mcp_core.connect.errors import SignInError, StaleClient, Unavailable
from redmine_mcp_core.connect.http import BUSY, send
from redmine_mcp_core.connect.vault import Registration, Tokens

STALE = frozenset({"invalid_client", "unauthorized_client"})
"""Errors of a client that the server does not know any more."""


class OAuthRefusal(SignInError):
    """An error answer of RFC 6749 5.2; ``code`` is its ``error``."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


async def post_form(
    http: httpx2.AsyncClient, address: str, client: Registration, form: Mapping[str, str]
) -> dict[str, Any]:
    """Post a form as this client (RFC 6749 2.3.1).

    Raises:
        StaleClient: the client is not known there (any more).
        OAuthRefusal: any other refusal.
        Unavailable: the server could not be asked, or is busy.
    """
    data = {**form, "client_id": client.client_id}
    headers = {"Accept": "application/json"}
    if client.client_secret and client.auth_method == "client_secret_basic":
        pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    elif client.client_secret and client.auth_method != "none":
        data["client_secret"] = client.client_secret
    host = httpx2.URL(address).netloc.decode()
    try:
        request = http.build_request("POST", address, data=data, headers=headers)
        response = await send(http, request)
    except httpx2.TransportError as error:
        raise Unavailable(f"{host} cannot be reached: {error or type(error).__name__}.") from None
    if response.status_code >= 500 or response.status_code in BUSY:
        raise Unavailable(f"{host} answered {response.status_code}: try again later.")
    try:
        said = response.json() if response.content else {}
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    if response.is_success:
        return said
    code = str(said.get("error") or f"HTTP {response.status_code}")
    text = f"{host} refused: {said.get('error_description') or code}."
    raise StaleClient(text) if code in STALE else OAuthRefusal(code, text)


def read_tokens(
    said: Mapping[str, Any], *, scope: str | None, refresh: str | None = None
) -> Tokens:
    """What was granted; left out means as asked for, or as before (RFC 6749 5.1, 6)."""
    access = said.get("access_token")
    if not isinstance(access, str) or str(said.get("token_type", "Bearer")).lower() != "bearer":
        raise SignInError("The authorization server did not grant a bearer token.")
    try:
        seconds = float(said["expires_in"]) if said.get("expires_in") is not None else None
    except (TypeError, ValueError):
        seconds = None
    return Tokens(
        access=access,
        refresh=said.get("refresh_token") or refresh,
        scope=said.get("scope") or scope,
        expires_at=None if seconds is None else time.time() + seconds,
    )
