"""Who is meant: "me", a member's name, or an id."""

from __future__ import annotations

import re

from redmine_mcp_core import Redmine, find_name, line

_ID = re.compile(r"#?([0-9]{1,9})")


async def person(redmine: Redmine, wanted: str, project: str) -> tuple[int, str]:
    """The id and name of a person or group; an id that no member has is believed.

    Raises ``BadArgument`` with the members of the project.
    """
    if wanted.strip().casefold() == "me":
        account = await redmine.learned("me", redmine.account)
        return int(account["id"]), line(f"{account['firstname']} {account['lastname']}")
    if number := _ID.fullmatch(wanted.strip()):
        return int(number[1]), f"#{number[1]}"
    members = await redmine.names("members", project)
    user_id = find_name("members", members, wanted)
    return user_id, line(members[user_id])
