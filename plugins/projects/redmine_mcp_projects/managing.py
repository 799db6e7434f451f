"""The tools that create and change projects, and the ones that end them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, confirmed, line, quoted, segment
from redmine_mcp_projects.counting import Counter
from redmine_mcp_projects.finding import (
    ACTIVE,
    CLOSED,
    STATUSES,
    fresh_project,
    path_of,
    principal_id,
)
from redmine_mcp_projects.plugin import plugin
from redmine_mcp_projects.writing import Wish, Written, body_of, compared, custom, plain

ALL_OF_IT = ("enabled_modules", "issue_custom_fields", "trackers")
MODULES = frozenset(
    """
    issue_tracking time_tracking news documents files wiki repository boards calendar gantt
    """.split()
)
"""Redmine's own (lib/redmine/preparation.rb); its plugins add theirs."""
INCLUDED = ",".join(ALL_OF_IT)

Project = Annotated[str, Field(description="Identifier, name or id")]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Parent = Annotated[str | None, Field(description="Project; empty for none")]
Trackers = Annotated[tuple[str, ...] | None, Field(description="All of them, by name or id")]
Modules = Annotated[
    tuple[str, ...] | None, Field(description="All of them, such as issue_tracking, wiki")
]
Fields = Annotated[
    dict[str, str | list[str]] | None, Field(description="Project custom fields, by name")
]
Confirm = Annotated[bool, Field(description="Only after the person said yes")]


@plugin.tool(
    title="Create a project",
    scopes={"view_project", "add_project"},
    optional_scopes={"add_subprojects", "select_project_modules", "select_project_publicity"},
    listed=False,
)
async def create_project(
    name: Name,
    identifier: Annotated[
        str, Field(min_length=1, max_length=100, description="Lower-case, for addresses; for good")
    ],
    description: str | None = None,
    homepage: str | None = None,
    is_public: bool | None = None,
    parent: Parent = None,
    inherit_members: bool | None = None,
    trackers: Trackers = None,
    modules: Modules = None,
    custom_fields: Fields = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Create a project, or a subproject of another."""
    wishes = [
        *plain("name", name),
        *plain("identifier", identifier),
        *plain("description", description),
        *plain("homepage", homepage),
        *plain("is_public", is_public),
        *plain("inherit_members", inherit_members),
        *await _links(redmine, parent, trackers, modules),
        *custom(custom_fields, await _any_project(redmine) if custom_fields else {}),
    ]
    made = (await redmine.post("/projects.json", {"project": body_of(wishes)}))["project"]
    redmine.forget_names("projects")
    after = await fresh_project(redmine, made["id"], INCLUDED)
    return _written(redmine, "created", wishes, {}, after)


@plugin.tool(
    title="Change a project",
    scopes={"view_project", "edit_project"},
    optional_scopes={"add_subprojects", "select_project_modules", "select_project_publicity"},
    listed=False,
)
async def update_project(
    project: Project,
    name: Annotated[str | None, Field(min_length=1, max_length=255)] = None,
    description: Annotated[str | None, Field(description="Empty clears it")] = None,
    homepage: Annotated[str | None, Field(description="Empty clears it")] = None,
    is_public: bool | None = None,
    parent: Parent = None,
    inherit_members: bool | None = None,
    trackers: Trackers = None,
    modules: Modules = None,
    default_version: Annotated[str | None, Field(description="Empty for none")] = None,
    default_assignee: Annotated[str | None, Field(description="Empty for none")] = None,
    custom_fields: Fields = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Change a project: rename, describe, move it; visibility, trackers, modules, defaults."""
    before = await fresh_project(redmine, project, INCLUDED)
    wishes = [
        *plain("name", name),
        *plain("description", description),
        *plain("homepage", homepage),
        *plain("is_public", is_public),
        *plain("inherit_members", inherit_members),
        *await _links(redmine, parent, trackers, modules),
        *await _defaults(redmine, before, default_version, default_assignee),
        *custom(custom_fields, before),
    ]
    if not wishes:
        raise BadArgument("Nothing to change was given.")
    path = f"/projects/{before['id']}.json"
    await redmine.put(path, {"project": body_of(wishes)})
    redmine.forget_names("projects")
    after = await fresh_project(redmine, before["id"], INCLUDED)
    return _written(redmine, "changed", wishes, before, after)


@plugin.tool(title="Close a project", scopes={"view_project", "close_project"}, listed=False)
async def close_project(project: Project, redmine: Redmine = CurrentRedmine()) -> Written:
    """Close a project and its subprojects: they can be read and not changed until reopened."""
    return await _move(redmine, project, "close", CLOSED)


@plugin.tool(title="Reopen a project", scopes={"view_project", "close_project"}, listed=False)
async def reopen_project(project: Project, redmine: Redmine = CurrentRedmine()) -> Written:
    """Reopen a closed project and its subprojects."""
    return await _move(redmine, project, "reopen", ACTIVE)


@plugin.tool(title="Archive a project", scopes={"admin"}, destroys=True, listed=False)
async def archive_project(
    project: Project,
    confirm: Confirm = False,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Archive a project: it and its subprojects are hidden from everybody. For administrators."""
    found = await fresh_project(redmine, project)
    await confirmed(
        f"Archive this project with its subprojects? Nobody sees it any more until an "
        f'administrator calls unarchive_project(project="{found["identifier"]}").\n'
        f"{quoted(_called(found))}",
        confirm=confirm,
    )
    await redmine.put(path_of(found, "archive"), {})
    redmine.forget_names("projects")
    return Written(what="Project archived", name=_called(found), id=found["id"])


@plugin.tool(title="Unarchive a project", scopes={"admin"}, listed=False)
async def unarchive_project(
    project: Annotated[str, Field(description="Identifier or id: Redmine shows no more of it")],
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Bring an archived project back. For administrators."""
    await redmine.put(f"/projects/{segment(project)}/unarchive.json", {})
    redmine.forget_names("projects")
    after = await fresh_project(redmine, project)
    note = "Its subprojects stay archived until each is brought back."
    return Written(
        what="Project unarchived",
        name=_called(after),
        id=after["id"],
        url=f"{redmine.url}/projects/{after['identifier']}",
        note=note,
    )


@plugin.tool(
    title="Delete a project",
    scopes={"view_project", "delete_project"},
    optional_scopes={"view_issues"},
    destroys=True,
    listed=False,
)
async def delete_project(
    project: Project,
    confirm: Confirm = False,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Delete a project with its subprojects, issues, wiki and files, for good."""
    found = await fresh_project(redmine, project)
    issues = await Counter(redmine, found, subprojects=True).issues(status="*")
    await confirmed(
        f"Delete this project for good, with all its subprojects, {issues} issues, wiki pages and "
        f"files?\n{quoted(_called(found))}",
        confirm=confirm,
    )
    await redmine.delete(f"/projects/{found['id']}.json")
    redmine.forget_names("projects")
    return Written(
        what="Project hidden and its deletion scheduled",
        name=_called(found),
        id=found["id"],
        note="Redmine deletes it in the background, which may take minutes.",
    )


async def _move(redmine: Redmine, wanted: str, action: str, status: int) -> Written:
    before = await fresh_project(redmine, wanted)
    await redmine.put(path_of(before, action), {})
    redmine.forget_names("projects")
    after = await fresh_project(redmine, before["id"])
    wish = Wish("status", status, "status", STATUSES[status])
    return _written(redmine, "changed", [wish], before, after)


async def _links(
    redmine: Redmine,
    parent: str | None,
    trackers: Iterable[str] | None,
    modules: Iterable[str] | None,
) -> list[Wish]:
    wishes = []
    if parent is not None:
        above = await redmine.project(parent) if parent else {"id": "", "name": ""}
        wishes.append(Wish("parent_id", above["id"], "parent", line(above["name"])))
    if trackers is not None:
        ids = [await redmine.id_of("trackers", tracker) for tracker in trackers]
        names = await redmine.names("trackers")
        shown = ", ".join(sorted(line(names[number]) for number in ids))
        wishes.append(Wish("tracker_ids", ids, "trackers", shown))
    if modules is not None:
        listed = await _modules(redmine, modules)
        shown = ", ".join(listed)
        wishes.append(Wish("enabled_module_names", listed, "enabled_modules", shown))
    return wishes


async def _modules(redmine: Redmine, wanted: Iterable[str]) -> list[str]:
    """The modules under Redmine's names: it would store a word that no module has."""
    modules = sorted({module.strip().casefold().replace(" ", "_") for module in wanted})
    known = set(MODULES)
    if not known.issuperset(modules):
        projects = (await redmine.get("/projects.json", include="enabled_modules", limit=100))[
            "projects"
        ]
        known |= {one["name"] for item in projects for one in item.get("enabled_modules", ())}
    for module in modules:
        if module not in known:
            there = ", ".join(sorted(known))
            raise BadArgument(f"There is no module “{module[:80]}”. There are: ", there, ".")
    return modules


async def _defaults(
    redmine: Redmine, project: dict[str, Any], version: str | None, assignee: str | None
) -> list[Wish]:
    wishes = []
    if version is not None:
        number = await redmine.id_of("versions", version, project["id"]) if version else ""
        names = await redmine.names("versions", project["id"])
        shown = line(names[number]) if isinstance(number, int) else ""
        wishes.append(Wish("default_version_id", number, "default_version", shown))
    if assignee is not None:
        number = await principal_id(redmine, assignee) if assignee else ""
        names = await redmine.names("members", project["id"])
        shown = line(names.get(number, assignee)) if isinstance(number, int) else ""
        wishes.append(Wish("default_assigned_to_id", number, "default_assignee", shown))
    return wishes


async def _any_project(redmine: Redmine) -> dict[str, Any]:
    """Only an administrator may list custom fields; every project shows those of projects."""
    projects = (await redmine.get("/projects.json", limit=1))["projects"]
    return projects[0] if projects else {}


def _written(
    redmine: Redmine,
    what: str,
    wishes: list[Wish],
    before: dict[str, Any],
    after: dict[str, Any],
) -> Written:
    hidden = {part for part in ALL_OF_IT if part not in after}
    changed, not_taken = compared(
        [wish for wish in wishes if wish.field not in hidden],
        _spoken(before, hidden),
        _spoken(after),
    )
    return Written(
        what=f"Project {what}" if changed or not before else "Project unchanged",
        name=_called(after),
        id=after["id"],
        url=f"{redmine.url}/projects/{after['identifier']}",
        changed=changed,
        not_taken=not_taken,
    )


def _spoken(project: dict[str, Any], hidden: Collection[str] = ()) -> dict[str, Any]:
    """The record with its status in words, and without what cannot be compared; {} for none.

    Redmine shows no trackers and custom fields of a project without issue tracking, though it
    keeps them (app/helpers/projects_helper.rb, render_api_includes).
    """
    told = {name: value for name, value in project.items() if name not in hidden}
    return told | {"status": STATUSES.get(told["status"], "")} if told else told


def _called(project: dict[str, Any]) -> str:
    return f"{line(project['name'])} ({project['identifier']})"
