"""What time entries are asked for: filters by name, as parameters of ``GET /time_entries``.

Redmine ignores a filter that it does not know, and where one value is malformed it forgets all
filters (``Query#statement``). So names and values are checked before the question, and where an
entry shows it, the answer is held to what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from redmine_mcp_core import BadArgument, Redmine, date_filter, find_name, line
from redmine_mcp_time.arguments import number
from redmine_mcp_time.fields import field_id, values_in

Entry = Mapping[str, Any]
Holds = Callable[[Entry], bool]
IdOf = Callable[[str], Awaitable[str]]

SHARED: Mapping[
    str, tuple[str, Literal["trackers", "issue_statuses", "time_entry_activities", "roles"]]
] = {
    "activity": ("activity_id", "time_entry_activities"),
    "tracker": ("issue.tracker_id", "trackers"),
    "status": ("issue.status_id", "issue_statuses"),
    "role": ("user.role", "roles"),
}
"""By name: Redmine's filter, and where its names are listed."""

OF_PROJECTS: Mapping[str, tuple[str, Literal["members", "versions", "issue_categories"]]] = {
    "user": ("user_id", "members"),
    "author": ("author_id", "members"),
    "group": ("user.group", "members"),  # the members of a project are people and groups
    "version": ("issue.fixed_version_id", "versions"),
    "category": ("issue.category_id", "issue_categories"),
}
TEXTS: Mapping[str, str] = {"comments": "comments", "subject": "issue.subject"}
ISSUES: Mapping[str, str] = {"issue": "issue_id", "parent": "issue.parent_id"}
PROJECT_STATUSES = {"active": "=1", "closed": "=5"}
"""app/models/project.rb, STATUS_*."""

FILTERS = (*OF_PROJECTS, *SHARED, "spent_on", "hours", *TEXTS, *ISSUES, "project_status")

PRESENCE = {"none": "!*", "any": "*"}
_STATUS_WORDS = {"open": False, "closed": True}
_AMOUNT = re.compile(r"(>=|<=|=|)\s*([0-9]{1,6}(?:\.[0-9]{1,4})?)")
_RANGE = re.compile(r"([0-9.]*[0-9])\s*\.\.\s*([0-9.]*[0-9])")


@dataclass
class Filters:
    """Parameters for Redmine, and what must hold of each entry that comes back."""

    params: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Holds] = field(default_factory=dict)
    """By the name of the filter."""

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise ``BadArgument`` if Redmine took no notice of a filter."""
        for name, holds in self.holds.items():
            if not all(map(holds, entries)):
                raise BadArgument(
                    f"Redmine does not filter by {name} here, and listed other entries as well. "
                    "Leave it out, or ask your administrator to make it a filter."
                )


@dataclass(frozen=True, slots=True)
class Asked:
    """One filter as a person gave it."""

    name: str
    text: str
    project: str
    """The id of the project that is listed, if it is one."""
    redmine: Redmine


async def filters_from(redmine: Redmine, asked: Mapping[str, str], project: str) -> Filters:
    """The filters that were asked for. Raises ``BadArgument`` with the valid names or values."""
    filters = Filters()
    for name, value in asked.items():
        text, known = line(value), name.strip().casefold().replace(" ", "_")
        if not text:
            raise BadArgument(f"{line(name)} is empty. Leave it out, or write none or any.")
        if "|" in text:
            raise BadArgument(f"Redmine cannot filter by a value with “|” in it: {line(name)}.")
        add = next((add for names, add in _KINDS if known in names), _custom)
        known = known if known in FILTERS else line(name)
        await add(filters, Asked(known, text, project, redmine))
    return filters


async def _shared(filters: Filters, asked: Asked) -> None:
    param, kind = SHARED[asked.name]

    async def id_of(wanted: str) -> str:
        return str(await asked.redmine.id_of(kind, wanted))

    if asked.name == "status" and asked.text in _STATUS_WORDS:
        # Of an issue's status Redmine knows here neither "open" nor "closed".
        closed = _STATUS_WORDS[asked.text]
        statuses = await asked.redmine.reference("issue_statuses")
        fitting = [str(one["id"]) for one in statuses if one["is_closed"] == closed]
        filters.params[param] = "=" + "|".join(fitting)
    else:
        await _named(filters, asked, param, id_of)


async def _owned(filters: Filters, asked: Asked) -> None:
    param, kind = OF_PROJECTS[asked.name]
    if asked.name == "category" and not asked.project:
        raise BadArgument("Categories belong to a project: name it.")

    async def id_of(wanted: str) -> str:
        given = number(wanted)
        if given is not None and (kind == "members" or not asked.project):
            return str(given)  # somebody who is no member any more has entries all the same
        if wanted.casefold() == "me" and asked.name in ("user", "author"):
            return "me"
        names = await asked.redmine.names(kind, asked.project)
        try:
            return str(find_name(kind, names, wanted))
        except BadArgument:
            if given is None or given not in await asked.redmine.names(kind):
                raise
            return str(given)  # a subproject's

    ids = await _named(filters, asked, param, id_of)
    if asked.name == "user" and "me" not in ids:
        excluded = filters.params[param].startswith("!")
        filters.holds["user"] = lambda entry: (str(entry["user"]["id"]) in ids) != excluded


async def _named(filters: Filters, asked: Asked, param: str, id_of: IdOf) -> list[str]:
    """One or several names; ``!`` before them excludes. Returns their ids."""
    excluded = asked.text.startswith("!")
    names = asked.text.removeprefix("!").strip()
    try:
        ids = [await id_of(names)]
    except BadArgument:
        if "," not in names:
            raise
        ids = [await id_of(one.strip().removeprefix("!")) for one in names.split(",")]
    filters.params[param] = ("!" if excluded else "=") + "|".join(ids)
    return ids


async def _day(filters: Filters, asked: Asked) -> None:
    filters.params["spent_on"] = date_filter(asked.text, ahead=False)


async def _text(filters: Filters, asked: Asked) -> None:
    filters.params[TEXTS[asked.name]] = PRESENCE.get(asked.text) or f"~{asked.text}"


async def _hours(filters: Filters, asked: Asked) -> None:
    if between := _RANGE.fullmatch(asked.text):
        filters.params["hours"] = f"><{between[1]}|{between[2]}"
    elif compared := _AMOUNT.fullmatch(asked.text):
        filters.params["hours"] = f"{compared[1] or '='}{compared[2]}"
    else:
        raise BadArgument("hours is a number, >=1, <=8 or 1..8.")


async def _issue(filters: Filters, asked: Asked) -> None:
    """Redmine takes one issue, ``~12`` for all below it too (``sql_for_issue_id_field``)."""
    below = asked.text.startswith("~")
    wanted = number(asked.text.removeprefix("~"))
    if asked.text in PRESENCE:
        expression = PRESENCE[asked.text]
    elif wanted is None:
        raise BadArgument(
            f"{asked.name} is the number of one issue, ~12 with its subtasks, none or any."
        )
    else:
        expression = f"{'~' if below else '='}{wanted}"
        if asked.name == "issue" and not below:
            filters.holds["issue"] = lambda entry: entry.get("issue", {}).get("id") == wanted
    filters.params[ISSUES[asked.name]] = expression


async def _project_status(filters: Filters, asked: Asked) -> None:
    if asked.project or asked.text not in PROJECT_STATUSES:
        raise BadArgument("project_status is active or closed, and goes with no project.")
    filters.params["project.status"] = PROJECT_STATUSES[asked.text]


async def _custom(filters: Filters, asked: Asked) -> None:
    """A custom field of entries. Redmine tells only administrators of which kind it is."""
    try:
        wanted = await field_id(asked.redmine, asked.name)
    except BadArgument as error:
        raise BadArgument(*error.args, "", f" Other filters: {', '.join(FILTERS)}.") from None
    text, param = asked.text, f"cf_{wanted}"
    if text in PRESENCE:
        filters.params[param] = PRESENCE[text]
        filters.holds[asked.name] = lambda entry: bool(values_in(entry, wanted)) == (text == "any")
    elif text.startswith(("~", "!", ">=", "<=")):
        filters.params[param] = text
    else:
        stored = {"yes": "1", "no": "0"}.get(text.casefold())
        filters.params[param] = "=" + "|".join(filter(None, (text, stored)))
        fitting = {text.casefold(), stored}
        filters.holds[asked.name] = lambda entry: any(
            value.casefold() in fitting for value in values_in(entry, wanted)
        )


_KINDS: tuple[tuple[Sequence[str], Callable[[Filters, Asked], Awaitable[None]]], ...] = (
    (tuple(OF_PROJECTS), _owned),
    (tuple(SHARED), _shared),
    (("spent_on",), _day),
    (("hours",), _hours),
    (tuple(TEXTS), _text),
    (tuple(ISSUES), _issue),
    (("project_status",), _project_status),
)
