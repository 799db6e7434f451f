"""Who calls: Redmine's ``ApplicationController#find_current_user`` for API requests."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from redmine_mcp_sandbox.doorkeeper import Doorkeeper
from redmine_mcp_sandbox.oauth_errors import bearer_challenge
from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.world import World


class HaltError(Exception):
    """Answer with this response at once."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status_code)


def presented_token(request: Request) -> str | None:
    """The OAuth token of a request; more than one way at once counts as none (RFC 6750, 2)."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    found = [value if scheme.lower() == "bearer" else ""]
    found += [request.query_params.get(name, "") for name in ("access_token", "bearer_token")]
    tokens = [token for token in found if token]
    return tokens[0] if len(tokens) == 1 else None


def identify(request: Request, world: World, doorkeeper: Doorkeeper) -> Viewer:
    """Find the viewer; whatever is unknown makes an anonymous one, as in Redmine.

    Raises:
        HaltError: the token has expired or was revoked (401), or its user is locked (500).
    """
    key = request.query_params.get("key") or request.headers.get("X-Redmine-API-Key")
    if key:
        return Viewer(world, world.user_by_api_key(key))
    presented = presented_token(request)
    token = doorkeeper.authenticate(presented) if presented else None
    if token is None:
        return _by_password(request, world)
    if not doorkeeper.is_accessible(token):
        reason = "revoked" if token.revoked else "expired"
        verb = "was " if token.revoked else ""
        challenge = bearer_challenge("invalid_token", f"The access token {verb}{reason}")
        headers = {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
        raise HaltError(Response(status_code=401, headers=headers, media_type="text/html"))
    user = world.active_user(token.user_id)
    if user is None:
        # Redmine 6.1 sets the scopes of a user that it did not find: NoMethodError.
        raise HaltError(JSONResponse({"status": 500, "error": "Internal Server Error"}, 500))
    return Viewer(world, user, frozenset(token.scopes))


def _by_password(request: Request, world: World) -> Viewer:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return Viewer(world)
    try:
        name, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Viewer(world)
    user = world.user_by_login(name)
    if user is not None and user.password == password and user.id not in world.locked:
        return Viewer(world, user)
    return Viewer(world, world.user_by_api_key(name))
