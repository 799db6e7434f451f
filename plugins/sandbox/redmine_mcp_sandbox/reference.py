"""What ``rake redmine:load_default_data`` puts into every Redmine: trackers, statuses, priorities.

Read from a Redmine 6.1.5 with the language ``en``; its roles are in ``roles.py``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A record of which answers show the id and the name: a tracker, a priority, an activity."""

    id: int
    name: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class IssueStatus:
    id: int
    name: str
    is_closed: bool = False


TRACKERS = (Named(1, "Bug"), Named(2, "Feature"), Named(3, "Support"))
TRACKER_FIELDS = (
    "assigned_to_id",
    "category_id",
    "fixed_version_id",
    "parent_issue_id",
    "start_date",
    "due_date",
    "estimated_hours",
    "done_ratio",
    "description",
    "priority_id",
)
STATUSES = (
    IssueStatus(1, "New"),
    IssueStatus(2, "In Progress"),
    IssueStatus(3, "Resolved"),
    IssueStatus(4, "Feedback"),
    IssueStatus(5, "Closed", is_closed=True),
    IssueStatus(6, "Rejected", is_closed=True),
)
PRIORITIES = (
    Named(1, "Low"),
    Named(2, "Normal", is_default=True),
    Named(3, "High"),
    Named(4, "Urgent"),
    Named(5, "Immediate"),
)
DOCUMENT_CATEGORIES = (Named(6, "User documentation"), Named(7, "Technical documentation"))
ACTIVITIES = (Named(8, "Design"), Named(9, "Development"))

DEFAULT_STATUS = STATUSES[0]
DEFAULT_PRIORITY = PRIORITIES[1]
