"""How a service account shows who it is: its client ID and secret, in one of the two usual places.

RFC 6749, section 2.3.1. Public clients do not come here; FastMCP sees to those.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.responses import Response

from redmine_mcp_core.auth.answers import refused

METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client ID and secret as a request shows them; nothing is verified yet."""

    client_id: str
    secret: str = field(repr=False)

    @classmethod
    def presented(cls, headers: Headers, form: Mapping[str, Any]) -> ClientSecret | None:
        """None where there is no secret, none that can be read, or one in each place.

        The last is forbidden (section 2.3) because two servers might each look at another one.
        """
        basic = _basic(headers.get("authorization", ""))
        secret = form.get("client_secret")
        if basic is not None:
            same = form.get("client_id") in {None, basic.client_id}
            return basic if secret is None and same else None
        if isinstance(secret, str):
            return cls(str(form.get("client_id") or ""), secret)
        return None


def unknown_client(headers: Headers) -> Response:
    """The same for a client there is not and for a wrong secret. One that came with Basic is
    challenged to (section 5.2)."""
    challenge = {"WWW-Authenticate": 'Basic realm="redmine-mcp"'}
    return refused(
        "invalid_client",
        "The client ID and secret are missing, unknown, or given twice.",
        401,
        headers=challenge if "authorization" in headers else None,
    )


def _basic(authorization: str) -> ClientSecret | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ClientSecret("", "")
    client_id, _, secret = decoded.partition(":")
    # Both parts are form-encoded before they are joined.
    return ClientSecret(unquote_plus(client_id), unquote_plus(secret))
