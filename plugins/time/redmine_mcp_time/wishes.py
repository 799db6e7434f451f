"""What a write is to set: names made into the ids that Redmine takes, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redmine_mcp_core import Forbidden, Redmine, custom_values, day_of, find_name, line, number_of
from redmine_mcp_time.arguments import issue_number
from redmine_mcp_time.fields import field_values
from redmine_mcp_time.rows import minutes_of, shown

Entry = Mapping[str, Any]

LABELS = {
    "hours": "Hours",
    "issue_id": "Issue",
    "project_id": "Project",
    "activity_id": "Activity",
    "spent_on": "Date",
    "comments": "Comment",
    "user_id": "User",
}
"""By attribute of a write (app/models/time_entry.rb, ``safe_attributes``)."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a tool was called with. None leaves an attribute as it is, or as Redmine chooses."""

    hours: float | None = None
    issue: str | int | None = None
    project: str | int | None = None
    activity: str | int | None = None
    spent_on: str | None = None
    comments: str | None = None
    user: str | int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class Value(NamedTuple):
    """What an entry holds: comparable, and for a person."""

    value: Any
    text: str


async def body_of(redmine: Redmine, wishes: Wishes, place: int | None) -> dict[str, Any]:
    """The attributes of a write. ``place`` is the project in which names are looked for.

    Raises ``BadArgument`` with the valid names.
    """
    body: dict[str, Any] = {}
    if wishes.hours is not None:
        body["hours"] = wishes.hours
    if wishes.issue is not None:
        text = str(wishes.issue).strip()
        body["issue_id"] = issue_number(text) if text else ""
    if wishes.project is not None:  # Redmine takes no identifier here
        body["project_id"] = (await redmine.project(wishes.project))["id"]
    if wishes.activity is not None:
        body["activity_id"] = await activity_id(redmine, wishes.activity, place)
    if wishes.spent_on is not None:
        body["spent_on"] = day_of("spent_on", wishes.spent_on, ahead=False)
    if wishes.comments is not None:
        body["comments"] = wishes.comments
    if wishes.user is not None:
        body["user_id"] = await user_id(redmine, wishes.user, place)
    for key, value in (await field_values(redmine, wishes.fields)).items():
        body.setdefault("custom_fields", []).append({"id": key, "value": value})
    return body


async def activity_id(redmine: Redmine, wanted: str | int, place: int | None) -> int:
    """The id of an activity, in a project or, where that is not known, of those that all share.

    Raises ``BadArgument`` with the activities there are.
    """
    return find_name("project_activities", await activities(redmine, place), wanted)


async def activities(redmine: Redmine, place: int | None) -> dict[int, str]:
    """Id to name of the activities of a project; of those that all share where it is not known.

    Redmine shows a project's own to those who may see its time; to others the shared ones.
    """
    if place is not None:
        try:
            if names := await redmine.names("project_activities", place):
                return names
        except Forbidden:
            pass  # without view_project
    return await redmine.names("time_entry_activities")


async def user_id(redmine: Redmine, wanted: str | int, place: int | None) -> int:
    """The id of a person, by "me", id or name. Raises ``BadArgument`` with the members."""
    text = str(wanted).strip()
    if text.casefold() == "me":
        return int((await redmine.learned("me", redmine.account))["id"])
    given = number_of(text)
    return given or find_name("members", await redmine.names("members", place or ""), text)


def held(entry: Entry) -> dict[str, Value]:
    """What an entry holds, by attribute and by ``cf_12`` for custom fields."""
    comments = _plain(entry.get("comments"))
    issue = (entry.get("issue") or {}).get("id")
    found = {
        "hours": Value(minutes_of(entry), shown(entry["hours"])),
        "issue_id": Value(issue or "", f"#{issue}" if issue else "none"),
        "spent_on": Value(entry["spent_on"], entry["spent_on"]),
        "comments": Value(comments, line(comments) or "none"),
    }
    for name in ("project", "activity", "user"):
        found[f"{name}_id"] = Value(entry[name]["id"], line(entry[name]["name"]))
    for custom in entry.get("custom_fields", ()):
        values = sorted(custom_values(entry, custom["id"]))
        found[f"cf_{custom['id']}"] = Value(values, line(", ".join(values)) or "none")
    return found


def dropped_of(body: Mapping[str, Any], entry: Entry) -> tuple[str, ...]:
    """What was asked for and did not come about, without a word from Redmine."""
    now = held(entry)
    labels = labels_of(entry)
    wanted = {
        key: round(value * 60) if key == "hours" else value
        for key, value in body.items()
        if key != "custom_fields"
    }
    if "comments" in wanted:
        wanted["comments"] = _plain(wanted["comments"])
    for custom in body.get("custom_fields", ()):
        value = custom["value"]
        values = value if isinstance(value, list) else [value]
        wanted[f"cf_{custom['id']}"] = sorted(one for one in values if one)
    return tuple(
        labels.get(key, f"custom field {key.removeprefix('cf_')}")
        for key, value in wanted.items()
        if key not in now or now[key].value != value
    )


def labels_of(entry: Entry) -> dict[str, str]:
    """What the attributes of an entry are called, its custom fields among them."""
    fields: Iterable[Mapping[str, Any]] = entry.get("custom_fields", ())
    return LABELS | {f"cf_{one['id']}": line(one["name"]) for one in fields}


def _plain(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()
