"""Scopes for those whom Redmine knows no scopes for: who comes with an API key or a password.

With an OAuth token Redmine itself refuses what the token was not granted. With a key it lets
everything through that the user may do, so what was promised to the user (this program only reads;
this one sees no members) has to be held here, before a request leaves: one table, from the routes
of Redmine's API to the permissions they need. What stands in none of its lines is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from redmine_mcp_core.redmine.errors import Forbidden, MissingScope
from redmine_mcp_core.redmine.sansio import objects

_TABLE = """
GET    /my/account /users/current /users/:id                                 = anybody
GET    /issue_statuses /trackers /roles /roles/:id /enumerations/:type       = anybody
GET    /projects                                                             = anybody
GET    /projects/:id                                                         = view_project
GET    /search /projects/:id/search                                          = search_project
GET    /issues /projects/:id/issues /issues/:id /queries                     = view_issues
GET    /versions/:id /projects/:id/versions                                  = view_issues
GET    /issue_categories/:id /projects/:id/issue_categories                  = view_issues manage_categories
GET    /issues/:id/relations /relations/:id                                  = view_issues
GET    /memberships/:id /projects/:id/memberships                            = view_members manage_members
GET    /time_entries /projects/:id/time_entries /time_entries/:id            = view_time_entries
GET    /news /projects/:id/news /news/:id                                    = view_news
GET    /projects/:id/files                                                   = view_files
GET    /projects/:id/wiki /projects/:id/wiki/:page                           = view_wiki_pages
GET    /projects/:id/wiki/:page/:version                                     = view_wiki_edits
GET    /attachments/:id /attachments/:id/:name /attachments/download/:id     = view_issues view_files view_wiki_pages view_news view_documents
GET    /attachments/download/:id/:name /attachments/thumbnail/:id /attachments/thumbnail/:id/:size = view_issues view_files view_wiki_pages view_news view_documents
GET    /users /groups /groups/:id /custom_fields                             = admin
POST   /issues /projects/:id/issues                                          = add_issues copy_issues
PUT    /issues/:id                                                           = edit_issues edit_own_issues add_issue_notes
DELETE /issues /issues/:id                                                   = delete_issues
PUT    /journals/:id                                                         = edit_issue_notes edit_own_issue_notes
POST   /issues/:id/relations                                                 = manage_issue_relations
DELETE /relations/:id                                                        = manage_issue_relations
POST   /issues/:id/watchers /watchers                                        = add_issue_watchers
DELETE /issues/:id/watchers/:user /watchers                                  = delete_issue_watchers
POST   /uploads                                                              = add_issues edit_issues edit_own_issues copy_issues add_issue_notes manage_files edit_wiki_pages manage_news
DELETE /attachments/:id                                                      = add_issues edit_issues edit_own_issues add_issue_notes manage_files delete_wiki_pages_attachments manage_news
PUT    /attachments/:id                                                      = edit_issues edit_own_issues manage_files edit_wiki_pages manage_news
POST   /time_entries /issues/:id/time_entries /projects/:id/time_entries     = log_time
PUT    /time_entries/:id                                                     = edit_time_entries edit_own_time_entries
DELETE /time_entries/:id                                                     = edit_time_entries edit_own_time_entries
POST   /projects                                                             = add_project add_subprojects
PUT    /projects/:id                                                         = edit_project
PUT    /projects/:id/close /projects/:id/reopen                              = close_project
POST   /projects/:id/close /projects/:id/reopen                              = close_project
PUT    /projects/:id/archive /projects/:id/unarchive                         = admin
POST   /projects/:id/archive /projects/:id/unarchive                         = admin
DELETE /projects/:id                                                         = delete_project
POST   /projects/:id/versions                                                = manage_versions
PUT    /versions/:id                                                         = manage_versions
DELETE /versions/:id                                                         = manage_versions
POST   /projects/:id/issue_categories                                        = manage_categories
PUT    /issue_categories/:id                                                 = manage_categories
DELETE /issue_categories/:id                                                 = manage_categories
POST   /projects/:id/memberships                                             = manage_members
PUT    /memberships/:id                                                      = manage_members
DELETE /memberships/:id                                                      = manage_members
POST   /news /projects/:id/news                                              = manage_news
PUT    /news/:id                                                             = manage_news
DELETE /news/:id                                                             = manage_news
POST   /projects/:id/files                                                   = manage_files
PUT    /projects/:id/wiki/:page                                              = edit_wiki_pages
DELETE /projects/:id/wiki/:page                                              = delete_wiki_pages
"""  # noqa: E501 - a table
"""Any one of the permissions is enough, as in Redmine (lib/redmine/preparation.rb, and
``require_admin`` in its controllers). ``admin`` is the scope of that name."""

_ANYBODY = "anybody"
_ADMIN = "admin"

_TRIMMED = {
    "watchers": "view_issue_watchers",
    "changesets": "view_changesets",
    "spent_hours": "view_time_entries",
    "total_spent_hours": "view_time_entries",
    "memberships": "view_members",
}
"""Fields of an answer that Redmine leaves out without a permission, and we for it."""

_FOUND = {
    "issue": "view_issues",
    "issue-closed": "view_issues",
    "wiki-page": "view_wiki_pages",
    "news": "view_news",
    "document": "view_documents",
    "changeset": "view_changesets",
    "message": "view_messages",
    "reply": "view_messages",
    "project": "search_project",
}
"""What a search finds, by its type (``acts_as_event``), and the permission to see it."""


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: re.Pattern[str]
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fence:
    """What one sign-in may do, where Redmine would let it do everything its user may."""

    scopes: frozenset[str]
    read_only: bool = False

    def check(self, method: str, path: str) -> None:
        """Raises ``MissingScope``, or ``Forbidden`` for what no scope allows."""
        if self.read_only and method != "GET":
            raise Forbidden("This sign-in may only read. Nothing was done.")
        needed = _needed(method, path)
        if needed is None:
            raise Forbidden(
                "This part of Redmine is open to those only who signed in through Redmine itself."
            )
        if _ANYBODY in needed or needed & self.scopes or _ADMIN in self.scopes:
            return
        raise MissingScope(sorted(needed))

    def trim(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer without what these scopes do not cover. It is changed in place."""
        for item in objects(answer):
            for field, permission in _TRIMMED.items():
                if field in item and permission not in self.scopes:
                    del item[field]
            if "journals" in item and "view_private_notes" not in self.scopes:
                item["journals"] = [
                    journal for journal in item["journals"] if not journal.get("private_notes")
                ]
        if "results" in answer and _ADMIN not in self.scopes:
            answer["results"] = [
                found for found in answer["results"] if _FOUND.get(found.get("type")) in self.scopes
            ]
        return answer


@lru_cache(maxsize=4096)
def _needed(method: str, path: str) -> frozenset[str] | None:
    """The permissions of which one is needed; None for a path that stands nowhere."""
    method = "PUT" if method == "PATCH" else method
    plain = path.partition("?")[0].removesuffix(".json")
    if {".", ".."} & set(unquote(plain).split("/")):
        return None  # on the way to Redmine it becomes another path
    for route in _ROUTES:
        if route.method == method and route.path.fullmatch(plain):
            return route.permissions
    return None


def _read(table: str) -> Iterator[_Route]:
    for line in table.strip().splitlines():
        left, _, permissions = line.partition("=")
        method, *paths = left.split()
        for path in paths:
            yield _Route(method, _pattern(path), frozenset(permissions.split()))


def _pattern(path: str) -> re.Pattern[str]:
    parts = ("[^/]+" if part.startswith(":") else re.escape(part) for part in path.split("/"))
    return re.compile("/".join(parts))


_ROUTES = tuple(_read(_TABLE))
