"""The issues that belong to an issue: parent, subtasks and relations, with what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import MAX_PAGE_SIZE, Redmine, line

_OTHER_SIDE = {
    "blocks": "blocked by",
    "precedes": "follows",
    "duplicates": "duplicated by",
    "copied_to": "copied from",
}
"""How a relation reads from its other end (app/models/issue_relation.rb, TYPES)."""


_PLACES = frozenset({"parent", "subtask"})
"""What the heading says already."""


class LinkedIssue(BaseModel):
    """Another issue, and how it belongs to this one."""

    id: int
    how: str
    subject: str = ""
    status: str = ""

    def text(self) -> str:
        how = "" if self.how in _PLACES else f"{self.how} "
        status = f" ({self.status})" if self.status else ""
        return f"{how}#{self.id} {self.subject}".rstrip() + status


def linked_ids(issue: Mapping[str, Any]) -> set[int]:
    """The issues that an answer mentions by number."""
    found = {relation["issue_id"] for relation in issue.get("relations", ())}
    found |= {relation["issue_to_id"] for relation in issue.get("relations", ())}
    found |= {child.id for child in children_of(issue, {})}
    if parent := issue.get("parent"):
        found.add(parent["id"])
    return found - {issue["id"]}


async def read_linked(redmine: Redmine, ids: set[int]) -> dict[int, dict[str, Any]]:
    """These issues by id, as far as the caller may see them, with one question for all.

    Of more than a hundred, the newest are read. Raises ``RedmineError``.
    """
    if not ids:
        return {}
    newest = sorted(ids, reverse=True)[:MAX_PAGE_SIZE]
    answer = await redmine.get(
        "/issues.json", issue_id=sorted(newest), status_id="*", limit=MAX_PAGE_SIZE
    )
    return {issue["id"]: issue for issue in answer.get("issues", ())}


def parent_of(issue: Mapping[str, Any], known: Mapping[int, Any]) -> LinkedIssue | None:
    parent = issue.get("parent")
    return _linked(parent["id"], "parent", known) if parent else None


def children_of(
    issue: Mapping[str, Any], known: Mapping[int, Any], depth: int = 0
) -> Iterator[LinkedIssue]:
    """The subtasks at any depth, as Redmine nests them."""
    how = "subtask" if depth == 0 else "subtask of a subtask"
    for child in issue.get("children", ()):
        yield _linked(child["id"], how, known, child.get("subject"))
        yield from children_of(child, known, depth + 1)


def relations_of(issue: Mapping[str, Any], known: Mapping[int, Any]) -> Iterator[LinkedIssue]:
    for relation in issue.get("relations", ()):
        kind = relation["relation_type"]
        if relation["issue_id"] == issue["id"]:
            yield _linked(relation["issue_to_id"], kind.replace("_", " "), known)
        else:
            yield _linked(relation["issue_id"], _OTHER_SIDE.get(kind, kind), known)


def joined(issues: Sequence[LinkedIssue]) -> str:
    """All of them in one line; of those that are only known by number, each kind together."""
    parts: list[str] = []
    for (how, named), group in groupby(issues, key=lambda issue: (issue.how, bool(issue.subject))):
        if named or how in _PLACES:
            parts += [issue.text() for issue in group]
        else:
            parts.append(f"{how} {', '.join(f'#{issue.id}' for issue in group)}")
    return "; ".join(parts)


def _linked(
    number: int, how: str, known: Mapping[int, Any], subject: str | None = None
) -> LinkedIssue:
    issue = known.get(number, {})
    return LinkedIssue(
        id=number,
        how=how,
        subject=line(issue.get("subject") or subject),
        status=line(issue.get("status", {}).get("name")),
    )
