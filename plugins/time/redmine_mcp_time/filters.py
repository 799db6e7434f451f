"""What time entries are asked for: filters by name, as parameters of ``GET /time_entries``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from redmine_mcp_core import (
    PRESENCE,
    BadArgument,
    Filters,
    Redmine,
    check_value,
    custom_values,
    date_filter,
    find_name,
    line,
    names_filter,
    number_filter,
    number_of,
)
from redmine_mcp_time.fields import field_id

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

_STATUS_WORDS = {"open": False, "closed": True}


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
    filters = Filters("entries")
    for name, value in asked.items():
        text, known = line(value), name.strip().casefold().replace(" ", "_")
        check_value(line(name), text)
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
        filters.params[param], _ = await names_filter(asked.text, id_of)


async def _owned(filters: Filters, asked: Asked) -> None:
    param, kind = OF_PROJECTS[asked.name]
    if asked.name == "category" and not asked.project:
        raise BadArgument("Categories belong to a project: name it.")

    async def id_of(wanted: str) -> str:
        given = number_of(wanted)
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

    filters.params[param], ids = await names_filter(asked.text, id_of)
    if asked.name == "user" and "me" not in ids:
        excluded = filters.params[param].startswith("!")
        filters.holds["user"] = lambda entry: (str(entry["user"]["id"]) in ids) != excluded


async def _day(filters: Filters, asked: Asked) -> None:
    filters.params["spent_on"] = date_filter(asked.text, ahead=False)


async def _text(filters: Filters, asked: Asked) -> None:
    filters.params[TEXTS[asked.name]] = PRESENCE.get(asked.text) or f"~{asked.text}"


async def _hours(filters: Filters, asked: Asked) -> None:
    expression = number_filter(asked.text)
    if expression is None:
        raise BadArgument("hours is a number, >=1, <=8 or 1..8.")
    filters.params["hours"] = expression


async def _issue(filters: Filters, asked: Asked) -> None:
    """Redmine takes one issue, ``~12`` for all below it too (``sql_for_issue_id_field``)."""
    below = asked.text.startswith("~")
    wanted = number_of(asked.text.removeprefix("~"))
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
        filters.holds[asked.name] = lambda entry: (
            bool(custom_values(entry, wanted)) == (text == "any")
        )
    elif text.startswith(("~", "!", ">=", "<=")):
        filters.params[param] = text
    else:
        stored = {"yes": "1", "no": "0"}.get(text.casefold())
        filters.params[param] = "=" + "|".join(filter(None, (text, stored)))
        fitting = {text.casefold(), stored}
        filters.holds[asked.name] = lambda entry: any(
            value.casefold() in fitting for value in custom_values(entry, wanted)
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
