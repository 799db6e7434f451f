"""What ``rake redmine:load_default_data`` puts into every Redmine: trackers, roles, workflows.

Read from a Redmine 6.1.5 with the language ``en``; of a role's permissions only those stand here
that some answer of the sandbox depends on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class Role:
    id: int
    name: str
    permissions: frozenset[str]
    issues_visibility: str = "default"
    users_visibility: str = "members_of_visible_projects"
    transitions: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Status id -> ids of the statuses that an issue may move to; the same for every tracker."""
    considers_workflow: bool = True
    """Whether the role may add or edit issues (Redmine's ``Role#consider_workflow?``)."""


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

# Every role has them (Redmine::AccessControl.public_permissions); they are the default scopes too.
PUBLIC_PERMISSIONS = ("view_project", "search_project", "view_members")

VIEW = frozenset(
    {
        *PUBLIC_PERMISSIONS,
        "view_issues",
        "view_time_entries",
        "view_news",
        "view_documents",
        "view_changesets",
        "view_wiki_pages",
        "view_messages",
    }
)
MANAGE = frozenset(
    {"view_private_notes", "view_issue_watchers", "set_issues_private", "set_own_issues_private"}
)
_ALL_STATUSES = tuple(status.id for status in STATUSES)

NON_MEMBER = Role(1, "Non member", VIEW)
ANONYMOUS = Role(2, "Anonymous", VIEW, considers_workflow=False)
MANAGER = Role(
    3,
    "Manager",
    VIEW | MANAGE,
    issues_visibility="all",
    users_visibility="all",
    transitions={old: [new for new in _ALL_STATUSES if new != old] for old in _ALL_STATUSES},
)
DEVELOPER = Role(
    4,
    "Developer",
    VIEW | {"view_private_notes"},
    transitions={1: (2, 3, 4, 5), 2: (3, 4, 5), 3: (2, 4, 5), 4: (2, 3, 5)},
)
REPORTER = Role(5, "Reporter", VIEW, transitions={1: (5,), 2: (5,), 3: (4, 5), 4: (5,)})
GIVABLE_ROLES = (MANAGER, DEVELOPER, REPORTER)
