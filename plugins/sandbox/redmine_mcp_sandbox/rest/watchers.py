"""Who watches an issue: /issues/:id/watchers and /watchers (Redmine's WatchersController)."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, deny, done, not_found
from redmine_mcp_sandbox.seed import Issue, User
from redmine_mcp_sandbox.writing import values


def create(call: Call) -> Response:
    issue = _issue(call, "add_issue_watchers")
    given = call.attributes("watcher")
    wish = given.get("user_ids", given.get("user_id")) if given else call.params.get("user_id")
    added = [one for one in values.integers(wish) if _may_watch(call, one, issue)]
    watchers = list(dict.fromkeys((*issue.watcher_ids, *added)))
    call.world.issues.put(replace(issue, watcher_ids=watchers))
    return done()


def destroy(call: Call) -> Response:
    issue = _issue(call, "delete_issue_watchers")
    user_id = values.integer(call.path.get("user_id") or call.params.get("user_id"))
    if user_id not in call.world.users and user_id not in call.world.groups:
        not_found()
    watchers = [one for one in issue.watcher_ids if one != user_id]
    call.world.issues.put(replace(issue, watcher_ids=watchers))
    return done()


def _issue(call: Call, permission: str) -> Issue:
    if "issue_id" not in call.path and call.params.get("object_type") != "issue":
        not_found()
    reference = call.path.get("issue_id") or call.params.get("object_id")
    issue = call.world.issues.get(values.integer(reference) or 0)
    if issue is None:
        deny(call.viewer)
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    call.require(permission, call.world.projects[issue.project_id])
    return issue


def _may_watch(call: Call, principal_id: int, issue: Issue) -> bool:
    """A group, or a user who can see the issue; others are left out without a word."""
    principal = call.world.active_principal(principal_id)
    if isinstance(principal, User):
        return type(call.viewer)(call.world, principal).may_open(issue)
    return principal is not None
