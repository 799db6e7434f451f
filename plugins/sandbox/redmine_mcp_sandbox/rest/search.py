"""GET /search (Redmine's SearchController): issues, projects and wiki pages.

A search does not look at the token's scopes beyond ``search_project``: it finds every issue that
the user's roles show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from redmine_mcp_sandbox.rest.call import Call
from redmine_mcp_sandbox.rest.operators import lower
from redmine_mcp_sandbox.seed import Issue, Project

MAX_TOKENS = 5
KINDS = (
    "issues",
    "news",
    "documents",
    "changesets",
    "wiki_pages",
    "messages",
    "projects",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for, and where."""

    tokens: Sequence[str]
    all_words: bool
    titles_only: bool
    open_issues: bool
    attachments: str
    """``0`` not in attachments, ``1`` there too, ``only`` there alone."""

    def matches(self, *texts: str | None) -> bool:
        """Whether the texts, taken together, hold the words."""
        lowered = [lower(text or "") for text in texts]
        hits = (any(token in text for text in lowered) for token in self.tokens)
        return all(hits) if self.all_words else any(hits)


def index(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"]) if "project_id" in call.path else None
    call.require("search_project", project)
    question = _question(call)
    if not question.tokens:
        return call.paged("results", [], None)
    scope, kinds = _scope(call, project)
    chosen = [kind for kind in kinds if call.query.get(kind)] or kinds
    found: list[dict[str, Any]] = []
    if "issues" in chosen:
        found += _issues(call, question, scope)
    if "projects" in chosen:
        found += _projects(call, question, scope)
    if "wiki_pages" in chosen:
        found += _wiki_pages(call, question, scope)
    found.sort(key=lambda result: (result["datetime"], result["id"]), reverse=True)
    return call.paged("results", call.cut(found), len(found))


def _question(call: Call) -> Question:
    def flag(name: str, default: bool = False) -> bool:
        return bool(call.query[name]) if name in call.query else default

    words = re.findall(r'"[^"]+"|\S+', call.query.get("q", "").strip())
    tokens = dict.fromkeys(word.strip('"').strip() for word in words)
    return Question(
        tokens=[lower(token) for token in tokens if len(token) > 1][:MAX_TOKENS],
        all_words=flag("all_words", default=True),
        titles_only=flag("titles_only"),
        open_issues=flag("open_issues"),
        attachments=call.query.get("attachments") or "0",
    )


def _scope(call: Call, project: Project | None) -> tuple[set[int], list[str]]:
    """The projects to look into, and the kinds of records to look for."""
    everything = set(call.world.projects)
    kinds = list(KINDS)
    match call.query.get("scope"):
        case "all":
            return everything, kinds
        case "my_projects":
            return {m.project_id for m in call.viewer.memberships()}, kinds
        case "bookmarks":
            return set(), kinds
        case "subprojects":
            below = call.world.subprojects(project) if project else ()
            return {project.id, *(p.id for p in below)} if project else everything, kinds
    if project is None:
        return everything, kinds
    inside = (kind for kind in KINDS if kind != "projects")
    return {project.id}, [kind for kind in inside if call.viewer.allowed(f"view_{kind}", project)]


def _issues(call: Call, question: Question, scope: set[int]) -> Iterable[dict[str, Any]]:
    world = call.world
    for issue in filter(call.viewer.finds_issue, world.issues.values()):
        closed = world.is_closed(issue)
        if issue.project_id not in scope or (question.open_issues and closed):
            continue
        if not _issue_matches(call, question, issue):
            continue
        status = world.statuses[issue.status_id].name
        tracker = world.trackers[issue.tracker_id].name
        yield {
            "id": issue.id,
            "title": f"{tracker} #{issue.id} ({status}): {issue.subject}",
            "type": "issue-closed" if closed else "issue",
            "url": f"{call.base_url}/issues/{issue.id}",
            "description": issue.description,
            "datetime": issue.created_on,
        }


def _issue_matches(call: Call, question: Question, issue: Issue) -> bool:
    world = call.world
    project = world.projects[issue.project_id]
    texts: list[tuple[str | None, ...]] = []
    if question.attachments != "only":
        texts.append((issue.subject,) if question.titles_only else _columns(issue))
        if not question.titles_only:
            texts += [
                (str(value),)
                for field_id, value in issue.custom_values.items()
                if world.custom_fields[int(field_id)].searchable
            ]
            sees_private = call.viewer.finds_private_notes(project)
            texts += [
                (journal.notes,)
                for journal in world.journals_of(issue)
                if sees_private or not journal.private_notes
            ]
    in_files = ("only",) if question.titles_only else ("1", "only")
    if question.attachments in in_files:
        texts += [(file.filename, file.description) for file in world.attachments_of(issue)]
    return any(question.matches(*together) for together in texts)


def _columns(issue: Issue) -> tuple[str, str]:
    return issue.subject, issue.description


def _projects(call: Call, question: Question, scope: set[int]) -> Iterable[dict[str, Any]]:
    if question.attachments == "only":
        return
    for project in filter(call.viewer.finds_project, call.world.projects.values()):
        columns = (project.name,) if question.titles_only else _project_columns(project)
        if project.id in scope and question.matches(*columns):
            yield {
                "id": project.id,
                "title": f"Project: {project.name}",
                "type": "project",
                "url": f"{call.base_url}/projects/{project.identifier}",
                "description": project.description,
                "datetime": project.created_on,
            }


def _wiki_pages(call: Call, question: Question, scope: set[int]) -> Iterable[dict[str, Any]]:
    world = call.world
    for page in world.wiki_pages.values():
        project = world.projects[page.project_id]
        if page.project_id not in scope or not call.viewer.finds("view_wiki_pages", project):
            continue
        text = world.wiki_versions_of(page)[-1].text
        columns = (page.title,) if question.titles_only else (page.title, text)
        if question.attachments != "only" and question.matches(*columns):
            yield {
                "id": page.id,
                "title": f"Wiki: {page.title}",
                "type": "wiki-page",
                "url": f"{call.base_url}/projects/{project.identifier}/wiki/{quote(page.title)}",
                "description": text,
                "datetime": page.created_on,
            }


def _project_columns(project: Project) -> tuple[str, str, str | None]:
    return project.name, project.identifier, project.description
