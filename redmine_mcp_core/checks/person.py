"""The API key of one person, as ``stdio`` uses it."""

from __future__ import annotations

from pydantic import SecretStr

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn
from redmine_mcp_core.checks.network import SECONDS
from redmine_mcp_core.redmine import (
    Credential,
    Forbidden,
    Gateway,
    Redmine,
    RedmineError,
    Unauthorized,
)


async def api_key(url: str, key: SecretStr) -> Finding:
    """Whose key it is."""
    try:
        async with Gateway(url, deadline=SECONDS) as gateway:
            user = await Redmine(gateway, Credential.api_key(key.get_secret_value())).account()
    except Unauthorized:
        return fail(
            "Redmine knows no such API key",
            f"Copy it from {url}/my/account, on the right: Show. A reset makes a new one.",
        )
    except Forbidden:
        return fail(
            "Redmine refuses the API key's owner",
            "They have to change their password or set up two-factor authentication first, or "
            "the REST API is off.",
        )
    except RedmineError as error:
        return fail(f"The API key cannot be checked: {error}", "Try again.")
    if user.get("admin"):
        return warn(
            f"The API key is {user['login']}'s, who is an administrator: tools may do anything",
            "A key of somebody with less power is safer.",
        )
    return ok(f"The API key is {user['login']}'s")
