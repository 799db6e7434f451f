"""The resources that this plugin adds."""

from __future__ import annotations

import json

from redmine_mcp_core import CurrentRedmine, Plugin, Redmine, line

plugin = Plugin()


@plugin.resource("redmine://users/me", name="me", title="Who you are in Redmine")
async def me(
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """The signed-in user: id, login, name and mail."""
    user = await redmine.account()
    name = line(f"{user.get('firstname', '')} {user.get('lastname', '')}")
    shown = {"id": user["id"], "login": user["login"], "name": name, "mail": user.get("mail")}
    if user.get("admin"):
        shown["admin"] = True
    return json.dumps(shown, ensure_ascii=False)
