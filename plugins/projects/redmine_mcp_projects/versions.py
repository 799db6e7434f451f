"""The tools for a project's versions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    Invalid,
    Redmine,
    Result,
    confirmed,
    line,
    quoted,
)
from redmine_mcp_projects.counting import Counter
from redmine_mcp_projects.details import Version, version_from
from redmine_mcp_projects.finding import find_record, path_of
from redmine_mcp_projects.managing import Confirm, Project
from redmine_mcp_projects.paging import Page, cut, told
from redmine_mcp_projects.plugin import plugin
from redmine_mcp_projects.writing import Wish, Written, body_of, compared, custom, plain

Status = Literal["open", "locked", "closed"]
Sharing = Literal["none", "descendants", "hierarchy", "tree", "system"]
DueDate = Annotated[
    str | None, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$", description="YYYY-MM-DD; empty for none")
]
VersionName = Annotated[str, Field(description="Name or id")]
Fields = Annotated[
    dict[str, str | list[str]] | None, Field(description="Version custom fields, by name")
]
SCOPES = {"view_issues", "view_project", "manage_versions"}


class VersionList(Result):
    """A page of a project's versions."""

    total: int
    versions: list[Version]
    page: int = 1

    def text(self) -> str:
        rows = [
            f"{version.row()}: {version.description}" if version.description else version.row()
            for version in self.versions
        ]
        return told(rows, total=self.total, page=self.page, nothing="No such version.")


@plugin.tool(
    title="List versions", scopes={"view_issues", "view_project"}, read_only=True, listed=False
)
async def list_versions(
    project: Project,
    status: Status | None = None,
    page: Page = 1,
    redmine: Redmine = CurrentRedmine(),
) -> VersionList:
    """List a project's versions (milestones, releases) with status and due date."""
    found = await redmine.project(project)
    answer = await redmine.get(path_of(found, "versions"))
    versions = [
        version_from(item, found)
        for item in answer["versions"]
        if status is None or item["status"] == status
    ]
    return VersionList(total=len(versions), versions=list(cut(versions, page)), page=page)


@plugin.tool(title="Create a version", scopes=SCOPES, listed=False)
async def create_version(
    project: Project,
    name: Annotated[str, Field(min_length=1, max_length=60)],
    description: str | None = None,
    status: Status | None = None,
    due_date: DueDate = None,
    sharing: Sharing | None = None,
    wiki_page_title: str | None = None,
    custom_fields: Fields = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Create a version (milestone, release) of a project."""
    found = await redmine.project(project)
    example: dict[str, Any] = {}
    if custom_fields:
        example = next(iter((await redmine.get(path_of(found, "versions")))["versions"]), {})
    wishes = [
        *_wishes(name, description, status, due_date, sharing, wiki_page_title),
        *custom(custom_fields, example),
    ]
    answer = await redmine.post(path_of(found, "versions"), {"version": body_of(wishes)})
    redmine.forget_names("versions", found["id"])
    return _written(redmine, "created", wishes, {}, answer["version"])


@plugin.tool(title="Change or close a version", scopes=SCOPES, listed=False)
async def update_version(
    project: Project,
    version: VersionName,
    name: Annotated[str | None, Field(min_length=1, max_length=60)] = None,
    description: Annotated[str | None, Field(description="Empty clears it")] = None,
    status: Status | None = None,
    due_date: DueDate = None,
    sharing: Sharing | None = None,
    wiki_page_title: str | None = None,
    custom_fields: Fields = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Change a version (milestone, release): rename, move its date, lock, close or reopen it."""
    found, before = await _find(redmine, project, version)
    wishes = [
        *_wishes(name, description, status, due_date, sharing, wiki_page_title),
        *custom(custom_fields, before),
    ]
    if not wishes:
        raise BadArgument("Nothing to change was given.")
    path = f"/versions/{before['id']}.json"
    await redmine.put(path, {"version": body_of(wishes)})
    redmine.forget_names("versions", found["id"])
    after = (await redmine.get(path))["version"]
    return _written(redmine, "changed", wishes, before, after)


@plugin.tool(title="Delete a version", scopes=SCOPES, destroys=True, listed=False)
async def delete_version(
    project: Project,
    version: VersionName,
    confirm: Confirm = False,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Delete a version that no issue uses any more."""
    found, item = await _find(redmine, project, version)
    name = f"{line(item['name'])} of {line(item['project']['name'])}"
    used = await Counter(redmine, found, subprojects=True).issues(
        status="*", fixed_version_id=str(item["id"])
    )
    if used:
        raise BadArgument(
            f"{used} issues are planned for this version, and Redmine deletes none that is used. "
            "Move them to another first, or close the version: update_version(status=closed)."
        )
    await confirmed(f"Delete this version?\n{quoted(name)}", confirm=confirm)
    try:
        await redmine.delete(f"/versions/{item['id']}.json")
    except Invalid:  # 422 without a word: issues that this caller does not see, or a file
        raise BadArgument(
            "Redmine does not delete a version that an issue or a file still uses, be it one that "
            "you may not see. Close it instead: update_version(status=closed)."
        ) from None
    redmine.forget_names("versions", found["id"])
    return Written(what="Version deleted", name=name, id=item["id"])


async def _find(
    redmine: Redmine, project: str, version: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    found = await redmine.project(project)
    return found, find_record(
        "versions", (await redmine.get(path_of(found, "versions")))["versions"], version
    )


def _wishes(
    name: str | None,
    description: str | None,
    status: str | None,
    due_date: str | None,
    sharing: str | None,
    wiki_page_title: str | None,
) -> list[Wish]:
    return [
        *plain("name", name),
        *plain("description", description),
        *plain("status", status),
        *plain("due_date", due_date),
        *plain("sharing", sharing),
        *plain("wiki_page_title", wiki_page_title),
    ]


def _written(
    redmine: Redmine,
    what: str,
    wishes: list[Wish],
    before: dict[str, Any],
    after: dict[str, Any],
) -> Written:
    changed, not_taken = compared(wishes, before, after)
    return Written(
        what=f"Version {what}" if changed or not before else "Version unchanged",
        name=f"{line(after['name'])} of {line(after['project']['name'])}",
        id=after["id"],
        url=f"{redmine.url}/versions/{after['id']}",
        changed=changed,
        not_taken=not_taken,
    )
