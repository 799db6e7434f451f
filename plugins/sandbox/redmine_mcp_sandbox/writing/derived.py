"""What a parent takes from its subtasks (``Issue#recalculate_attributes_for``)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.seed import Issue
from redmine_mcp_sandbox.world import World


def from_subtasks(world: World, parent: Issue) -> Issue:
    """The parent with the dates, the priority and the progress that its subtasks give it."""
    children = world.children(parent)
    if not children:
        return parent
    open_priorities = [one.priority_id for one in children if not world.is_closed(one)]
    starts = [one.start_date for one in children if one.start_date]
    dues = [one.due_date for one in children if one.due_date]
    start, due = min(starts, default=None), max(dues, default=None)
    if start and due and due < start:
        start, due = due, start
    return replace(
        parent,
        priority_id=max(open_priorities, default=reference.DEFAULT_PRIORITY.id),
        start_date=start,
        due_date=due,
        done_ratio=_progress(world, children),
    )


def total_estimate(world: World, issue: Issue) -> float | None:
    """Its own estimate and its subtasks', whoever asks."""
    if not world.children(issue):
        return issue.estimated_hours
    family = (issue, *world.descendants(issue))
    return sum((one.estimated_hours or 0.0 for one in family), 0.0)


def _progress(world: World, children: list[Issue]) -> int:
    """The average of the subtasks, weighted by estimate; without one, a subtask weighs as much
    as the average of the others. A closed one counts as done.
    """
    estimates = [Fraction(total_estimate(world, one) or 0) for one in children]
    known = [one for one in estimates if one > 0]
    average = sum(known, Fraction()) / len(known) if known else Fraction(1)
    done = sum(
        (estimate or average) * (100 if world.is_closed(child) else child.done_ratio)
        for estimate, child in zip(estimates, children, strict=True)
    )
    return int(done / (average * len(children)))
