"""How many issues there are by status, version, assignee and the like.

Redmine's API counts only whole lists. Up to a hundred issues are read and counted here, with one
question. Of more, each value is counted by a question for one issue, which costs Redmine a tenth
of a question for a hundred: so the cost grows with the values and not with the issues.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from redmine_mcp_core import (
    MAX_PAGE_SIZE,
    BadArgument,
    Filters,
    Redmine,
    RedmineError,
    custom_values,
    line,
)
from redmine_mcp_issues.asking import custom_field_id
from redmine_mcp_issues.filters import OF_PROJECTS, SHARED, Issue
from redmine_mcp_issues.listing import Group, IssueList
from redmine_mcp_issues.naming import known_as

MOST_GROUPS = 40
"""So many values are counted one by one; what is left is told as one number."""
COUNTED_AT_ONCE = 4
"""So that one answer does not take all of Redmine's workers."""

ATTRIBUTES = {
    name: (param, attribute)
    for name, (param, _, attribute) in (*SHARED.items(), *OF_PROJECTS.items())
    if attribute
} | {"project": ("", "project")}
"""By name: Redmine's filter, and the issue's attribute. Projects are told apart by path."""

NONE = ""
"""The value of an issue that has none."""


@dataclass
class Grouping:
    """By what issues are counted. A value is what a filter takes: an id, or a field's value."""

    by: str
    param: str
    attribute: str = ""
    field_id: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """What each value is called; it grows with what is seen."""

    def values(self, issue: Issue) -> list[str]:
        if not self.attribute:
            return custom_values(issue, self.field_id) or [NONE]
        thing = issue.get(self.attribute)
        if not thing:
            return [NONE]
        self.names.setdefault(str(thing["id"]), line(thing["name"]))
        return [str(thing["id"])]

    def question(
        self, path: str, params: Mapping[str, str], value: str
    ) -> tuple[str, dict[str, str]]:
        """The path and parameters of the list of those that have a value."""
        if self.attribute == "project":
            return f"/projects/{value}/issues.json", {**params, "subproject_id": "!*"}
        return path, {**params, self.param: f"={value}" if value else "!*"}

    def label(self, value: str) -> str:
        if value == NONE:
            return "none"
        name = self.names.get(value, line(value))
        same = list(self.names.values()).count(name) > 1
        return f"{name} (id {value})" if same else name


async def grouping_from(redmine: Redmine, by: str, project: str) -> Grouping:
    """What was asked for. Raises ``BadArgument`` with what issues can be counted by."""
    name = known_as(by)
    if name in ATTRIBUTES:
        param, attribute = ATTRIBUTES[name]
        return Grouping(name, param, attribute)
    try:
        field_id = await custom_field_id(redmine, by.strip(), project)
    except BadArgument:
        valid = ", ".join(ATTRIBUTES)
        problem = f"Issues are not counted by “{line(by)[:40]}”, but by {valid} or a custom field."
        raise BadArgument(problem) from None
    return Grouping(line(by), f"cf_{field_id}", field_id=field_id)


async def grouped(
    redmine: Redmine, path: str, filters: Filters, grouping: Grouping, project: str
) -> IssueList:
    """Count the issues of a list. Raises ``RedmineError``."""
    first = await redmine.get(path, **filters.params, limit=MAX_PAGE_SIZE)
    issues, total = first["issues"], first["total_count"]
    filters.check(issues)
    counts = Counter(value for issue in issues for value in grouping.values(issue))
    if total > len(issues):
        if "query_id" in filters.params:
            raise BadArgument(f"{total} issues of a saved query cannot be counted by anything.")
        seen = [value for value, _ in counts.most_common()]
        known = await _known(redmine, grouping, filters.params.get(grouping.param), project)
        values = list(dict.fromkeys([*seen, *known]))[:MOST_GROUPS]
        counts = await _counted(redmine, path, filters.params, values, grouping)
    groups = [
        Group(name=grouping.label(value), count=count)
        for value, count in counts.most_common()
        if count
    ]
    rest = total - counts.total()
    if rest > 0:
        groups.append(Group(name="others", count=rest))
    return IssueList(
        total=total,
        group_by=grouping.by,
        groups=tuple(groups),
        several=rest < 0,
        hints=() if total else tuple(filters.hints),
    )


async def _counted(
    redmine: Redmine,
    path: str,
    params: Mapping[str, str],
    values: Iterable[str],
    grouping: Grouping,
) -> Counter[str]:
    limited = asyncio.Semaphore(COUNTED_AT_ONCE)

    async def count(value: str) -> tuple[str, int]:
        where, wanted = grouping.question(path, params, value)
        async with limited:
            answer = await redmine.get(where, **wanted, limit=1)
        if any(value not in grouping.values(issue) for issue in answer["issues"]):
            raise BadArgument(f"Redmine does not filter by {grouping.by} here.")
        return value, int(answer["total_count"])

    return Counter(dict(await asyncio.gather(*map(count, values))))


async def _known(
    redmine: Redmine, grouping: Grouping, filtered: str | None, project: str
) -> list[str]:
    """The values there may be besides those that were seen, within the filter of the same name."""
    name, optional = grouping.by, {NONE: ""}
    known: dict[str, str] = {} if name in SHARED or name in ("author", "project") else optional
    try:
        if name in SHARED:
            known |= _by_value(await redmine.names(SHARED[name][1]))
        elif name in OF_PROJECTS and (project or name == "version"):
            known |= _by_value(await redmine.names(OF_PROJECTS[name][1], project))
        elif name == "project":
            known |= _by_value(await redmine.names("projects")) if not project else {}
    except RedmineError:
        pass  # then only those that were seen are told apart
    grouping.names.update(known)
    match filtered:
        case None:
            return list(known)
        case "o" | "c":
            listed = await redmine.reference("issue_statuses")
            return [str(one["id"]) for one in listed if one["is_closed"] == (filtered == "c")]
        case "*":
            return [value for value in known if value]
        case _ if filtered.startswith("!") and filtered != "!*":
            excluded = filtered[1:].split("|")
            return [value for value in known if value not in excluded]
        case _ if filtered.startswith("=") and "me" not in filtered:
            return [value for value in filtered[1:].split("|") if value in known]
        case _:
            return []


def _by_value(names: Mapping[int, str]) -> dict[str, str]:
    return {str(number): line(name) for number, name in names.items()}
