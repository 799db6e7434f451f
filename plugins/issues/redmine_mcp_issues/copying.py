"""Copying an issue, with what Redmine's API copies and what it does not.

Measured on Redmine 6.1.5: ``copy_from`` stands beside ``issue``. All attributes and custom fields
go along, but the status, comments, logged time and relations do not. ``copy_subtasks`` counts as
yes whatever it holds, and the other two are yes only as the text "1" (an administrator may have
decided otherwise for all). Watchers are copied where the project is in the path. Category and
version are the other project's own, and one that it has not is a 422
(app/controllers/issues_controller.rb, ``build_new_issue_from_params``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Forbidden, Invalid, Redmine, RedmineError, line
from redmine_mcp_issues.arguments import Id, Name, Text
from redmine_mcp_issues.attributes import Reference
from redmine_mcp_issues.changes import WrittenIssue, dropped_of, summary_of
from redmine_mcp_issues.checks import explained
from redmine_mcp_issues.draft import draft_of
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of

_OF_PROJECT: tuple[tuple[str, str, Reference], ...] = (
    ("category", "category_id", "issue_categories"),
    ("fixed_version", "fixed_version_id", "versions"),
)
"""What is not another project's: as it is read, as it is written, and where its names are."""


@plugin.tool(
    title="Copy an issue",
    scopes={"view_issues", "add_issues", "copy_issues"},
    optional_scopes={
        "add_issue_watchers",
        "edit_issues",
        "manage_issue_relations",
        "manage_subtasks",
        "view_issue_watchers",
    },
    listed=False,
)
async def copy_issue(
    issue_id: Id,
    project: Name = None,
    subject: Text = None,
    tracker: Name = None,
    attachments: bool = True,
    subtasks: bool = False,
    watchers: bool = False,
    link: Annotated[bool, Field(description="Relate the copy to the original")] = True,
    redmine: Redmine = CurrentRedmine(),
) -> WrittenIssue:
    """Copy an issue. Comments, history, status, logged time and relations are not copied."""
    include = {"attachments", "children", "watchers"}
    source = await issue_of(redmine, issue_id, include)
    home = await redmine.project(project) if project is not None else None
    place: Mapping[str, Any] = home or source["project"]
    arguments = {"subject": subject, "tracker": tracker}
    draft = await draft_of(redmine, arguments, {}, home=home, issue=source)
    left: list[str] = []
    if place["id"] != source["project"]["id"]:
        body, left = await _elsewhere(redmine, source, str(place["id"]))
        draft.body.update(body)
    wished = {
        "copy_attachments": "1" if attachments else "0",
        "copy_subtasks": "1" if subtasks else None,
        "link_copy": "1" if link else "0",
    }
    body = {name: value for name, value in wished.items() if value is not None}
    body |= {"copy_from": str(issue_id), "issue": {"project_id": place["id"], **draft.body}}
    path = f"/projects/{place['id']}/issues.json" if watchers else "/issues.json"
    try:
        made = (await redmine.post(path, body))["issue"]["id"]
    except Forbidden:
        raise Forbidden("Your role may not copy issues from there, or not add them here.") from None
    except Invalid as error:
        messages = await explained(redmine, error.messages, draft, str(place["id"]))
        raise Invalid(messages) from None
    url = f"{redmine.url}/issues/{made}"
    try:
        copy = await issue_of(redmine, made, {*include, "relations"})
    except RedmineError as error:  # as one who may not look where they put it
        return WrittenIssue(outcome="unread", id=made, url=url, failed=(line(str(error)),))
    done, dropped = _beside(source, copy, wished, watchers)
    return WrittenIssue(
        outcome="created",
        id=made,
        url=url,
        updated_on=copy["updated_on"],
        summary=f"{line(copy['subject'])}\n{summary_of(copy)}",
        done=(f"copied from #{issue_id}", *done),
        dropped=(*dropped_of(draft.wanted, copy), *dropped),
        failed=tuple(left),
    )


async def _elsewhere(
    redmine: Redmine, source: Mapping[str, Any], project: str
) -> tuple[dict[str, Any], list[str]]:
    """Category and version by the same name in another project, and which it has not."""
    body: dict[str, Any] = {}
    left = []
    for attribute, key, kind in _OF_PROJECT:
        if attribute not in source:
            continue
        name = line(source[attribute]["name"])
        names = await redmine.names(kind, project)
        same = [number for number, other in names.items() if line(other) == name]
        body[key] = same[0] if same else ""
        if not same:
            left.append(f"{attribute.removeprefix('fixed_')} {name} (not in that project)")
    return body, left


def _beside(
    source: Mapping[str, Any],
    copy: Mapping[str, Any],
    wished: Mapping[str, str | None],
    watchers: bool,
) -> tuple[list[str], list[str]]:
    """What came along of files, subtasks, relation and watchers, and what of it did not."""
    done: list[str] = []
    dropped: list[str] = []

    def compare(asked: bool, what: str, wanted: int, came: int) -> None:
        if came:
            done.append(f"{came} {what if came > 1 else what.removesuffix('s')}")
        if asked and came < wanted:
            dropped.append(f"{wanted - came} of {wanted} {what}")

    counts = [_count(issue.get("children", ())) for issue in (source, copy)]
    files = [len(issue.get("attachments", ())) for issue in (source, copy)]
    compare(wished["copy_attachments"] == "1", "files", *files)
    compare(wished["copy_subtasks"] == "1", "subtasks", *counts)
    if watchers:
        watching = [{one["id"] for one in issue.get("watchers", ())} for issue in (source, copy)]
        compare(True, "watchers", len(watching[0]), len(watching[0] & watching[1]))
    if wished["link_copy"] == "1":
        linked = any(_is_link(relation, source["id"]) for relation in copy.get("relations", ()))
        (done if linked else dropped).append("related to the original")
    return done, dropped


def _is_link(relation: Mapping[str, Any], source_id: int) -> bool:
    return bool(relation["relation_type"] == "copied_to" and relation["issue_id"] == source_id)


def _count(children: Sequence[Mapping[str, Any]]) -> int:
    return sum(1 + _count(child.get("children", ())) for child in children)
