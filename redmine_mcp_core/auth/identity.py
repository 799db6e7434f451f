"""Who signed in, as it is kept beside the tokens and put into those that clients get."""

from __future__ import annotations

from typing import Any

IDENTITY = "redmine_user"
"""Where, in the token answer that FastMCP stores for us, we keep who signed in."""


def identity(user: dict[str, Any]) -> dict[str, Any]:
    """What we keep of a user as Redmine's ``/my/account.json`` shows them."""
    name = f"{user.get('firstname', '')} {user.get('lastname', '')}".strip()
    return {"user_id": user["id"], "login": user["login"], "name": name}
