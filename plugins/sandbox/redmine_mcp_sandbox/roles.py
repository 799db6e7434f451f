"""Redmine's permissions and the roles that come with it, with their workflow.

Permissions: ``lib/redmine/preparation.rb``. Roles and transitions: what
``rake redmine:load_default_data`` creates, read from a Redmine 6.1.5 with the language ``en``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

# Every role has them (Redmine::AccessControl.public_permissions); they are the default scopes too.
PUBLIC_PERMISSIONS = ("view_project", "search_project", "view_members")

_PERMISSIONS_BY_MODULE = {
    "issue_tracking": """
        view_issues add_issues edit_issues edit_own_issues copy_issues manage_issue_relations
        manage_subtasks set_issues_private set_own_issues_private add_issue_notes
        edit_issue_notes edit_own_issue_notes view_private_notes set_notes_private delete_issues
        view_issue_watchers add_issue_watchers delete_issue_watchers import_issues
        manage_categories
    """,
    "time_tracking": """
        view_time_entries log_time edit_time_entries edit_own_time_entries
        manage_project_activities log_time_for_other_users import_time_entries
    """,
    "news": """
        view_news manage_news comment_news
    """,
    "documents": """
        view_documents add_documents edit_documents delete_documents
    """,
    "files": """
        view_files manage_files
    """,
    "wiki": """
        view_wiki_pages view_wiki_edits export_wiki_pages edit_wiki_pages rename_wiki_pages
        delete_wiki_pages delete_wiki_pages_attachments view_wiki_page_watchers
        add_wiki_page_watchers delete_wiki_page_watchers protect_wiki_pages manage_wiki
    """,
    "repository": """
        view_changesets browse_repository commit_access manage_related_issues manage_repository
    """,
    "boards": """
        view_messages add_messages edit_messages edit_own_messages delete_messages
        delete_own_messages view_message_watchers add_message_watchers delete_message_watchers
        manage_boards
    """,
    "calendar": """
        view_calendar
    """,
    "gantt": """
        view_gantt
    """,
}
# A permission that belongs to no module holds whatever the project has enabled.
MODULE_OF = {
    permission: module
    for module, permissions in _PERMISSIONS_BY_MODULE.items()
    for permission in permissions.split()
}
# What Redmine marks ``:read``: allowed on closed projects, and that includes deleting them.
ALLOWED_WHEN_CLOSED = frozenset(
    """
    view_project search_project close_project delete_project view_members view_issues
    view_private_notes view_issue_watchers view_time_entries view_news view_documents view_files
    view_wiki_pages view_wiki_edits export_wiki_pages view_wiki_page_watchers view_changesets
    browse_repository view_messages view_message_watchers view_calendar view_gantt
    """.split()
)


@dataclass(frozen=True)
class Role:
    id: int
    name: str
    listed_permissions: Sequence[str]
    """In the order in which Redmine keeps and shows them; the public ones are not among them."""
    issues_visibility: str = "default"
    users_visibility: str = "members_of_visible_projects"
    transitions: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Status id -> ids of the statuses that an issue may move to; the same for every tracker."""

    @cached_property
    def permissions(self) -> frozenset[str]:
        return frozenset((*PUBLIC_PERMISSIONS, *self.listed_permissions))

    @cached_property
    def considers_workflow(self) -> bool:
        """Whether the role may add or edit issues (``Role#consider_workflow?``)."""
        return bool({"add_issues", "edit_issues"} & set(self.listed_permissions))


NON_MEMBER = Role(
    1,
    "Non member",
    """
    view_issues add_issues add_issue_notes save_queries view_gantt view_calendar
    view_time_entries view_news comment_news view_documents view_wiki_pages view_wiki_edits
    view_messages add_messages view_files browse_repository view_changesets
    """.split(),
)
ANONYMOUS = Role(
    2,
    "Anonymous",
    """
    view_issues view_gantt view_calendar view_time_entries view_news view_documents
    view_wiki_pages view_wiki_edits view_messages view_files browse_repository view_changesets
    """.split(),
)
MANAGER = Role(
    3,
    "Manager",
    """
    add_project edit_project close_project delete_project select_project_publicity
    select_project_modules manage_members manage_versions add_subprojects manage_public_queries
    save_queries view_issues add_issues edit_issues edit_own_issues copy_issues
    manage_issue_relations manage_subtasks set_issues_private set_own_issues_private
    add_issue_notes edit_issue_notes edit_own_issue_notes view_private_notes set_notes_private
    delete_issues view_issue_watchers add_issue_watchers delete_issue_watchers import_issues
    manage_categories view_time_entries log_time edit_time_entries edit_own_time_entries
    manage_project_activities log_time_for_other_users import_time_entries view_news manage_news
    comment_news view_documents add_documents edit_documents delete_documents view_files
    manage_files view_wiki_pages view_wiki_edits export_wiki_pages edit_wiki_pages
    rename_wiki_pages delete_wiki_pages delete_wiki_pages_attachments view_wiki_page_watchers
    add_wiki_page_watchers delete_wiki_page_watchers protect_wiki_pages manage_wiki
    view_changesets browse_repository commit_access manage_related_issues manage_repository
    view_messages add_messages edit_messages edit_own_messages delete_messages
    delete_own_messages view_message_watchers add_message_watchers delete_message_watchers
    manage_boards view_calendar view_gantt
    """.split(),
    issues_visibility="all",
    users_visibility="all",
    transitions={old: [new for new in range(1, 7) if new != old] for old in range(1, 7)},
)
DEVELOPER = Role(
    4,
    "Developer",
    """
    manage_versions manage_categories view_issues add_issues edit_issues view_private_notes
    set_notes_private manage_issue_relations manage_subtasks add_issue_notes save_queries
    view_gantt view_calendar log_time view_time_entries view_news comment_news view_documents
    view_wiki_pages view_wiki_edits edit_wiki_pages delete_wiki_pages view_messages add_messages
    edit_own_messages view_files manage_files browse_repository view_changesets commit_access
    manage_related_issues
    """.split(),
    transitions={1: (2, 3, 4, 5), 2: (3, 4, 5), 3: (2, 4, 5), 4: (2, 3, 5)},
)
REPORTER = Role(
    5,
    "Reporter",
    """
    view_issues add_issues add_issue_notes save_queries view_gantt view_calendar log_time
    view_time_entries view_news comment_news view_documents view_wiki_pages view_wiki_edits
    view_messages add_messages edit_own_messages view_files browse_repository view_changesets
    """.split(),
    transitions={1: (5,), 2: (5,), 3: (4, 5), 4: (5,)},
)
GIVABLE_ROLES = (MANAGER, DEVELOPER, REPORTER)
ROLES = {role.name: role for role in GIVABLE_ROLES}
ROLES_BY_ID = {role.id: role for role in GIVABLE_ROLES}
