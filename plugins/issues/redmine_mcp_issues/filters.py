"""What issues are asked for: filters by name, as the parameters of ``GET /issues``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from redmine_mcp_core import (
    PRESENCE,
    BadArgument,
    Filters,
    Redmine,
    date_filter,
    names_filter,
    number_filter,
    number_of,
)
from redmine_mcp_issues.naming import id_in

Issue = Mapping[str, Any]
Holds = Callable[[Issue], bool]
Shared = Literal["issue_statuses", "trackers", "issue_priorities", "roles"]

SHARED: Mapping[str, tuple[str, Shared, str]] = {
    "status": ("status_id", "issue_statuses", "status"),
    "tracker": ("tracker_id", "trackers", "tracker"),
    "priority": ("priority_id", "issue_priorities", "priority"),
    "assignee_role": ("assigned_to_role", "roles", ""),
}
"""By name: Redmine's filter, where its names are listed, and the issue's attribute if any."""

OF_PROJECTS: Mapping[str, tuple[str, Literal["members", "versions", "issue_categories"], str]] = {
    "assignee": ("assigned_to_id", "members", "assigned_to"),
    "author": ("author_id", "members", "author"),
    "watcher": ("watcher_id", "members", ""),
    "updated_by": ("updated_by", "members", ""),
    "last_updated_by": ("last_updated_by", "members", ""),
    "version": ("fixed_version_id", "versions", "fixed_version"),
    "category": ("category_id", "issue_categories", "category"),
}

DATES: Mapping[str, tuple[str, bool]] = {
    "created": ("created_on", False),
    "updated": ("updated_on", False),
    "closed": ("closed_on", False),
    "start": ("start_date", True),
    "due": ("due_date", True),
    "version_due": ("fixed_version.due_date", True),
}
"""Redmine's filter, and whether its dates may lie ahead."""

TEXTS: Mapping[str, str] = {
    "subject": "subject",
    "description": "description",
    "notes": "notes",
    "attachment": "attachment",
    "anywhere": "any_searchable",
}

NUMBERS: Mapping[str, str] = {
    "done_ratio": "done_ratio",
    "estimated_hours": "estimated_hours",
    "spent_hours": "spent_time",
}

ISSUES: Mapping[str, str] = {
    "id": "issue_id",
    "parent": "parent_id",
    "child": "child_id",
    **{
        kind: kind
        for kind in (
            "relates",
            "blocks",
            "blocked",
            "precedes",
            "follows",
            "duplicates",
            "duplicated",
            "copied_to",
            "copied_from",
        )
    },
}
"""Filters whose value is another issue's number."""

WORDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "private": ("is_private", {"yes": "=1", "no": "=0"}),
    "version_status": (
        "fixed_version.status",
        {"open": "=open", "locked": "=locked", "closed": "=closed"},
    ),
}

FILTERS = (*SHARED, *OF_PROJECTS, *DATES, *TEXTS, *NUMBERS, *ISSUES, *WORDS)

_OPTIONAL = frozenset({"assignee", "assignee_role", "version", "category"})
"""What an issue may be without."""
_NOBODY = ("nobody", "unassigned")
"""As a list tells it, and as people say it."""
_STATUS_WORDS = {"open": "o", "closed": "c", "any": "*", "all": "*", "*": "*"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One filter as a person gave it."""

    name: str
    text: str
    project: str
    redmine: Redmine


async def add_filter(filters: Filters, asked: Asked) -> None:
    """Add one of ``FILTERS``. Raises ``BadArgument`` with what would do instead."""
    add = next(add for names, add in _KINDS if asked.name in names)
    try:
        await add(filters, asked)
    except BadArgument as error:
        # What nothing is called may be a word of ours, such as "Open" or "None".
        lower = replace(asked, text=asked.text.casefold())
        if lower == asked:
            raise
        try:
            await add(filters, lower)
        except BadArgument:
            raise error from None


async def _shared(filters: Filters, asked: Asked) -> None:
    param, kind, attribute = SHARED[asked.name]

    async def id_of(wanted: str) -> str:
        return str(await asked.redmine.id_of(kind, wanted))

    # In lower case, since a status may well be called "Closed".
    if asked.name == "status" and asked.text in _STATUS_WORDS:
        filters.add(asked.name, param, _STATUS_WORDS[asked.text])
    else:
        await _named(filters, asked, param, attribute, id_of)


async def _owned(filters: Filters, asked: Asked) -> None:
    param, kind, attribute = OF_PROJECTS[asked.name]
    if asked.name == "category" and not asked.project:
        raise BadArgument("Categories belong to a project: name it.")

    async def id_of(wanted: str) -> str:
        if wanted == "me" and kind == "members":
            return wanted
        return str(await id_in(asked.redmine, kind, wanted, asked.project))

    await _named(filters, asked, param, attribute, id_of)


async def _named(
    filters: Filters,
    asked: Asked,
    param: str,
    attribute: str,
    id_of: Callable[[str], Awaitable[str]],
) -> None:
    """One or several names; none and any stand alone."""
    name, text = asked.name, asked.text
    if name == "assignee" and text in _NOBODY:
        text = "none"
    if name in _OPTIONAL and text in PRESENCE:
        held = _presence(attribute, text) if attribute else None
        filters.add(name, param, PRESENCE[text], held)
        return
    expression, ids = await names_filter(text, id_of)
    holds: Holds | None = None
    if attribute and "me" not in ids:
        holds = _reference(attribute, ids, excluded=expression.startswith("!"))
    filters.add(name, param, expression, holds)


async def _date(filters: Filters, asked: Asked) -> None:
    param, ahead = DATES[asked.name]
    expression = date_filter(asked.text, ahead=ahead)
    # A tracker may do without the planned dates, and then Redmine does without the filter.
    may_lack = asked.name in ("start", "due") and expression != "!*"
    filters.add(asked.name, param, expression, _present(param) if may_lack else None)


async def _text(filters: Filters, asked: Asked) -> None:
    # Looking anywhere, Redmine takes none and any for words.
    presence = None if asked.name == "anywhere" else PRESENCE.get(asked.text)
    filters.add(asked.name, TEXTS[asked.name], presence or f"~{asked.text}")


async def _amount(filters: Filters, asked: Asked) -> None:
    expression = PRESENCE.get(asked.text) or number_filter(asked.text)
    if expression is None:
        raise BadArgument(f"{asked.name} is a number, >=1, <=8, 1..8, none or any.")
    holds = _present(asked.name) if expression != "!*" else None
    filters.add(asked.name, NUMBERS[asked.name], expression, holds)


async def _issue(filters: Filters, asked: Asked) -> None:
    name, text = asked.name, asked.text
    below = name in ("parent", "child") and text.startswith("~")
    ids = [number_of(part) for part in text.removeprefix("~").split(",")]
    if text in PRESENCE and name != "id":
        expression = PRESENCE[text]
    elif None in ids:
        raise BadArgument(f"{name} is an issue's number, several with commas, none or any.")
    else:
        expression = ("~" if below else "=") + ",".join(str(one) for one in ids)
    filters.add(name, ISSUES[name], expression)


async def _word(filters: Filters, asked: Asked) -> None:
    param, words = WORDS[asked.name]
    if asked.text not in words:
        raise BadArgument(f"{asked.name} is one of: {', '.join(words)}.")
    holds: Holds | None = None
    if asked.name == "private":
        holds = _private(asked.text == "yes")
    filters.add(asked.name, param, words[asked.text], holds)


_KINDS: tuple[tuple[Mapping[str, object], Callable[[Filters, Asked], Awaitable[None]]], ...] = (
    (SHARED, _shared),
    (OF_PROJECTS, _owned),
    (DATES, _date),
    (TEXTS, _text),
    (NUMBERS, _amount),
    (ISSUES, _issue),
    (WORDS, _word),
)


def _reference(attribute: str, ids: frozenset[str], *, excluded: bool) -> Holds:
    return lambda issue: (str(issue.get(attribute, {}).get("id")) in ids) != excluded


def _presence(attribute: str, text: str) -> Holds:
    return lambda issue: bool(issue.get(attribute)) == (text == "any")


def _present(attribute: str) -> Holds:
    return lambda issue: issue.get(attribute) is not None


def _private(wanted: bool) -> Holds:
    return lambda issue: bool(issue.get("is_private")) == wanted
