"""Who is meant: "me", a member's name, or an id."""

from __future__ import annotations

from redmine_mcp_core import Redmine, find_name, line, number_of


async def person(redmine: Redmine, wanted: str, project: str) -> tuple[int, str]:
    """The id and name of a person or group; an id that no member has is believed.

    Raises ``BadArgument`` with the members of the project.
    """
    if wanted.strip().casefold() == "me":
        account = await redmine.learned("me", redmine.account)
        return int(account["id"]), line(f"{account['firstname']} {account['lastname']}")
    given = number_of(wanted)
    if given is not None:
        return given, f"#{given}"
    members = await redmine.names("members", project)
    user_id = find_name("members", members, wanted)
    return user_id, line(members[user_id])
