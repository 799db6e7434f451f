"""What issues are asked for: filters by name, as the parameters of ``GET /issues``.

Redmine ignores a filter that it does not know, does not offer in this project or keeps from this
user, and lists everything instead (``Query#add_short_filter``). So names are checked before the
question, and issues in the answer against what was asked: a filter that was ignored is an error.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from redmine_mcp_core import BadArgument, Redmine, date_filter
from redmine_mcp_issues.naming import id_in, number

Issue = dict[str, Any]
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
_AMOUNT = re.compile(r"(>=|<=|=|)\s*(-?[0-9]+(?:\.[0-9]+)?)")

PRESENCE = {"none": "!*", "any": "*"}
RANGE = re.compile(r"([0-9.-]*[0-9])\s*\.\.\s*([0-9.-]*[0-9])")
"""From one number or day to another."""


@dataclass
class Filters:
    """Parameters for Redmine, and what must hold of each issue that comes back."""

    params: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Holds] = field(default_factory=dict)
    """By the name of the filter."""
    hints: list[str] = field(default_factory=list)
    """What to try if nothing fits."""

    def add(self, name: str, param: str, expression: str, holds: Holds | None = None) -> None:
        self.params[param] = expression
        if holds:
            self.holds[name] = holds

    def check(self, issues: Sequence[Issue]) -> None:
        """Raise ``BadArgument`` if Redmine took no notice of a filter."""
        for name, holds in self.holds.items():
            if not all(map(holds, issues)):
                raise BadArgument(
                    f"Redmine does not filter by {name} here, and listed other issues as well. "
                    "Leave it out, or ask your administrator to make it a filter."
                )


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
    """One or several names; ``!`` before them excludes, and none and any stand alone."""
    name, text = asked.name, asked.text
    if name == "assignee" and text in _NOBODY:
        text = "none"
    if name in _OPTIONAL and text in PRESENCE:
        held = _presence(attribute, text) if attribute else None
        filters.add(name, param, PRESENCE[text], held)
        return
    excluded = text.startswith("!")
    names = text.removeprefix("!").strip()
    try:
        ids = [await id_of(names)]
    except BadArgument:
        if "," not in names:
            raise
        ids = [await id_of(one.strip().removeprefix("!")) for one in names.split(",")]
    holds: Holds | None = None
    if attribute and "me" not in ids:
        holds = _reference(attribute, frozenset(ids), excluded=excluded)
    filters.add(name, param, ("!" if excluded else "=") + "|".join(ids), holds)


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
    if asked.text in PRESENCE:
        expression = PRESENCE[asked.text]
    elif between := RANGE.fullmatch(asked.text):
        expression = f"><{between[1]}|{between[2]}"
    elif compared := _AMOUNT.fullmatch(asked.text):
        expression = f"{compared[1] or '='}{compared[2]}"
    else:
        raise BadArgument(f"{asked.name} is a number, >=1, <=8, 1..8, none or any.")
    holds = _present(asked.name) if expression != "!*" else None
    filters.add(asked.name, NUMBERS[asked.name], expression, holds)


async def _issue(filters: Filters, asked: Asked) -> None:
    name, text = asked.name, asked.text
    below = name in ("parent", "child") and text.startswith("~")
    ids = [number(part) for part in text.removeprefix("~").split(",")]
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
