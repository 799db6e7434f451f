"""Relations between issues (``IssueRelation``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redmine_mcp_sandbox.seed import Issue, IssueRelation, JournalDetail
from redmine_mcp_sandbox.world import RELATION_TYPES, World
from redmine_mcp_sandbox.writing import scheduling, values
from redmine_mcp_sandbox.writing.saving import Saver

# What a relation is called from the other end, for those that have two names.
OTHER_END = {
    "duplicates": "duplicated",
    "blocks": "blocked",
    "precedes": "follows",
    "copied_to": "copied_from",
}
# The second name of a pair is never stored: the relation is turned round.
TURNED = {second: first for first, second in OTHER_END.items()}


def complaints(
    world: World, issue: Issue, other: Issue | None, kind: str, delay: Any
) -> Iterator[str]:
    """What is wrong with a relation, in Redmine's order."""
    if other is None:
        yield "Related issue cannot be blank"
    if kind not in RELATION_TYPES:
        yield "Relation type is not included in the list"
    if not values.blank(delay) and not _is_number(delay):
        yield "Delay is not a number"
    if other is None:
        return
    pair = (issue.id, other.id)
    if any((one.issue_from_id, one.issue_to_id) == pair for one in world.issue_relations.values()):
        yield "Related issue has already been taken"
    if issue.id == other.id:
        yield "Related issue is invalid"
    if _is_circular(world, issue, other, kind):
        yield "This relation would create a circular dependency"
    if issue in world.ancestors(other) or other in world.ancestors(issue):
        yield "An issue cannot be linked to one of its subtasks"


def relate(saver: Saver, issue: Issue, other: Issue, kind: str, delay: Any = None) -> IssueRelation:
    """Keep a relation, in the direction in which Redmine stores it, and note it at both ends."""
    first, second = issue, other
    if kind in TURNED:
        first, second, kind = other, issue, TURNED[kind]
    elif kind == "relates" and issue.id > other.id:
        first, second = other, issue
    days = values.integer(delay) or 0 if kind == "precedes" else None
    relation = saver.world.issue_relations.add(IssueRelation(0, first.id, second.id, kind, days))
    day = scheduling.successor_soonest_start(saver.world, relation)
    if day:
        saver.reschedule(second, day)
    _note(saver, relation, added=True)
    return relation


def separate(saver: Saver, relation: IssueRelation) -> None:
    """Delete a relation, and note it at both ends."""
    del saver.world.issue_relations[relation.id]
    _note(saver, relation, added=False)


def _note(saver: Saver, relation: IssueRelation, *, added: bool) -> None:
    kind = relation.relation_type
    ends = {relation.issue_from_id: kind, relation.issue_to_id: OTHER_END.get(kind, kind)}
    for issue_id, name in ends.items():
        other = str(relation.other(issue_id))
        old, new = (None, other) if added else (other, None)
        detail = JournalDetail("relation", name, old, new)
        saver.scribe.write(saver.world.issues[issue_id], [detail])


def _is_number(value: Any) -> bool:
    try:
        float(values.text(value))
    except ValueError:
        return False
    return True


def _is_circular(world: World, issue: Issue, other: Issue, kind: str) -> bool:
    match kind:
        case "precedes":
            return scheduling.would_reschedule(world, other, issue)
        case "follows":
            return scheduling.would_reschedule(world, issue, other)
        case "blocks":
            return _blocks(world, other, issue)
        case "blocked":
            return _blocks(world, issue, other)
        case "relates":
            return any(
                (one.issue_from_id, one.issue_to_id) == (other.id, issue.id)
                for one in world.issue_relations.values()
            )
    return False


def _blocks(world: World, issue: Issue, other: Issue) -> bool:
    """Whether an issue blocks the other, directly or through others."""
    seen, last = {issue.id}, {issue.id}
    while last:
        last = {
            one.issue_to_id
            for one in world.issue_relations.values()
            if one.relation_type == "blocks" and one.issue_from_id in last
        } - seen
        if other.id in last:
            return True
        seen |= last
    return False
