"""Dates that follow from other issues' dates: ``precedes`` relations and working days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from redmine_mcp_sandbox.seed import Issue, IssueRelation
from redmine_mcp_sandbox.world import World

# The setting non_working_week_days, by default: Saturday and Sunday.
WORKING_DAYS = range(5)
ONE_DAY = timedelta(days=1)


def next_working_day(day: date) -> date:
    while day.weekday() not in WORKING_DAYS:
        day += ONE_DAY
    return day


def add_working_days(day: date, count: int) -> date:
    """The working day that comes ``count`` working days later."""
    for _ in range(count):
        day = next_working_day(day + ONE_DAY)
    return next_working_day(day)


def working_days(start: date, end: date) -> int:
    """How many working days lie between, the first counted, the last not."""
    days = ((start + timedelta(days=n)).weekday() for n in range((end - start).days))
    return sum(weekday in WORKING_DAYS for weekday in days)


def successor_soonest_start(world: World, relation: IssueRelation) -> date | None:
    """The first day on which the second issue of a ``precedes`` relation may start."""
    first = world.issues[relation.issue_from_id]
    end = first.due_date or first.start_date
    if relation.relation_type != "precedes" or end is None:
        return None
    return add_working_days(date.fromisoformat(end), 1 + (relation.delay or 0))


def soonest_start(world: World, issue: Issue) -> date | None:
    """What preceding issues, of the issue or of its parents, leave as its first day."""
    family = [issue, *world.ancestors(issue)]
    days = [
        successor_soonest_start(world, relation)
        for one in family
        for relation in world.relations_of(one)
        if relation.issue_to_id == one.id
    ]
    return max((day for day in days if day), default=None)


def rescheduled(issue: Issue, day: date) -> tuple[str, str]:
    """The dates of an issue that starts on a day and takes as many working days as before."""
    length = 0
    if issue.start_date and issue.due_date:
        start, due = map(date.fromisoformat, (issue.start_date, issue.due_date))
        length = working_days(start, due)
    first = next_working_day(day)
    return first.isoformat(), add_working_days(first, length).isoformat()


def would_reschedule(world: World, issue: Issue, other: Issue) -> bool:
    """Whether the other issue moves when this one does (``Issue#would_reschedule?``)."""
    seen, last = {issue.id}, [issue]
    while last:
        following = {one.id: one for step in last for one in _moved_by(world, step)}
        last = [one for one in following.values() if one.id not in seen]
        if other.id in {one.id for one in last}:
            return True
        seen |= {one.id for one in last}
    return False


def _moved_by(world: World, issue: Issue) -> Iterator[Issue]:
    yield from _followers(world, issue)
    yield from (one for one in world.descendants(issue) if not world.children(one))
    for ancestor in world.ancestors(issue):
        yield from _followers(world, ancestor)


def _followers(world: World, issue: Issue) -> Iterator[Issue]:
    for relation in world.relations_of(issue):
        if relation.relation_type == "precedes" and relation.issue_from_id == issue.id:
            yield world.issues[relation.issue_to_id]
