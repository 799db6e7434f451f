"""/issues/:id/relations and /relations/:id (Redmine's IssueRelationsController)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, created, deny, done, invalid, server_error
from redmine_mcp_sandbox.rest.issue_json import relation_fields
from redmine_mcp_sandbox.seed import Issue, IssueRelation
from redmine_mcp_sandbox.writing import values
from redmine_mcp_sandbox.writing.relating import complaints, relate, separate
from redmine_mcp_sandbox.writing.saving import Saver


def index(call: Call) -> dict[str, Any]:
    issue = _issue(call)
    return {
        "relations": [
            relation_fields(relation)
            for relation in call.world.relations_of(issue)
            if call.viewer.may_open(call.world.issues[relation.other(issue.id)])
        ]
    }


def show(call: Call) -> dict[str, Any]:
    return {"relation": relation_fields(_visible(call))}


def create(call: Call) -> Response:
    issue = _issue(call)
    if "relation" not in call.form:
        server_error()
    given = call.attributes("relation")
    kind = values.text(given.get("relation_type")) or "relates"
    saver, saved, last = Saver(call.viewer), None, ["Related issue cannot be blank"]
    for number in _ids(given.get("issue_to_id")):
        other = call.world.issues.get(number)
        if other is not None and not call.viewer.finds_issue(other):
            other = None
        last = list(complaints(call.world, issue, other, kind, given.get("delay")))
        saved = None
        if other is not None and not last:
            current, target = call.world.issues[issue.id], call.world.issues[other.id]
            saved = relate(saver, current, target, kind, given.get("delay"))
    # Of several, the last one decides what is answered.
    if saved is None:
        invalid(last)
    location = f"{call.base_url}/relations/{saved.id}"
    return created({"relation": relation_fields(saved)}, location)


def destroy(call: Call) -> Response:
    relation = _visible(call)
    ends = (call.world.issues[one] for one in (relation.issue_from_id, relation.issue_to_id))
    projects = [call.world.projects[issue.project_id] for issue in ends]
    if not any(call.viewer.allowed("manage_issue_relations", one) for one in projects):
        deny(call.viewer)
    separate(Saver(call.viewer), relation)
    return done()


def _issue(call: Call) -> Issue:
    issue = call.find(call.world.issues, call.path["issue_id"])
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    call.require("manage_issue_relations", call.world.projects[issue.project_id])
    return issue


def _visible(call: Call) -> IssueRelation:
    relation = call.find(call.world.issue_relations, call.path["id"])
    ends = (relation.issue_from_id, relation.issue_to_id)
    if not all(call.viewer.may_open(call.world.issues[one]) for one in ends):
        deny(call.viewer)
    return relation


def _ids(wish: Any) -> list[int]:
    """``10``, ``"10"``, ``"#10"`` or ``"10,11"``; none at all is one that does not exist."""
    parts = [one.strip().removeprefix("#") for one in values.text(wish).split(",")]
    return [values.integer(one) or 0 for one in parts if one] or [0]
