"""The tools for a project's issue categories."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, Result, confirmed, line, quoted
from redmine_mcp_projects.counting import Counter
from redmine_mcp_projects.finding import find_record, path_of, principal_id
from redmine_mcp_projects.managing import Confirm, Project
from redmine_mcp_projects.paging import Page, cut, told
from redmine_mcp_projects.plugin import plugin
from redmine_mcp_projects.writing import Wish, Written, body_of, compared, plain

CategoryName = Annotated[str, Field(description="Name or id")]
Assignee = Annotated[
    str | None, Field(description='Gets its new issues: name, id or "me"; empty for nobody')
]
SCOPES = {"view_issues", "view_project", "manage_categories"}


class Category(BaseModel):
    """An issue category."""

    id: int
    name: str
    assignee: str | None = None

    def row(self) -> str:
        return f"{self.name} (assigned to {self.assignee})" if self.assignee else self.name


class CategoryList(Result):
    """A page of a project's issue categories."""

    total: int
    categories: list[Category]
    page: int = 1

    def text(self) -> str:
        rows = [category.row() for category in self.categories]
        return told(rows, total=self.total, page=self.page, nothing="No categories.")


@plugin.tool(
    title="List issue categories",
    scopes={"view_issues", "view_project"},
    read_only=True,
    listed=False,
)
async def list_categories(
    project: Project, page: Page = 1, redmine: Redmine = CurrentRedmine()
) -> CategoryList:
    """List a project's issue categories and who gets their new issues."""
    found = await redmine.project(project)
    items = (await redmine.get(path_of(found, "issue_categories")))["issue_categories"]
    categories = [
        Category(
            id=item["id"],
            name=line(item["name"]),
            assignee=line((item.get("assigned_to") or {}).get("name")) or None,
        )
        for item in cut(items, page)
    ]
    return CategoryList(total=len(items), categories=categories, page=page)


@plugin.tool(title="Create an issue category", scopes=SCOPES, listed=False)
async def create_category(
    project: Project,
    name: Annotated[str, Field(min_length=1, max_length=60)],
    assignee: Assignee = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Create an issue category in a project."""
    found = await redmine.project(project)
    wishes = [*plain("name", name), *await _assignee(redmine, found, assignee)]
    answer = await redmine.post(
        path_of(found, "issue_categories"), {"issue_category": body_of(wishes)}
    )
    redmine.forget_names("issue_categories", found["id"])
    return _written("created", wishes, found, {}, answer["issue_category"])


@plugin.tool(title="Change an issue category", scopes=SCOPES, listed=False)
async def update_category(
    project: Project,
    category: CategoryName,
    name: Annotated[str | None, Field(min_length=1, max_length=60)] = None,
    assignee: Assignee = None,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Rename an issue category, or change who gets its new issues."""
    found = await redmine.project(project)
    answer = await redmine.get(path_of(found, "issue_categories"))
    before = find_record("issue_categories", answer["issue_categories"], category)
    path = f"/issue_categories/{before['id']}.json"
    wishes = [*plain("name", name), *await _assignee(redmine, found, assignee)]
    if not wishes:
        raise BadArgument("Nothing to change was given.")
    await redmine.put(path, {"issue_category": body_of(wishes)})
    redmine.forget_names("issue_categories", found["id"])
    after = (await redmine.get(path))["issue_category"]
    return _written("changed", wishes, found, before, after)


@plugin.tool(title="Delete an issue category", scopes=SCOPES, destroys=True, listed=False)
async def delete_category(
    project: Project,
    category: CategoryName,
    reassign_to: Annotated[
        str | None, Field(description="Category that gets its issues; else they have none")
    ] = None,
    confirm: Confirm = False,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Delete an issue category; its issues move to another one, or to none."""
    found = await redmine.project(project)
    names = await redmine.names("issue_categories", found["id"])
    number = await redmine.id_of("issue_categories", category, found["id"])
    target = None
    if reassign_to:
        target = await redmine.id_of("issue_categories", reassign_to, found["id"])
    if target == number:
        raise BadArgument("A category cannot hand its issues to itself.")
    issues = await Counter(redmine, found, subprojects=False).issues(
        status="*", category_id=str(number)
    )
    name = f"{line(names[number])} of {line(found['name'])}"
    fate = "go to the second" if target else "have no category then"
    told = f"{name}\n{line(names[target])}" if target else name
    question = f"Delete this issue category? Its {issues} issues {fate}.\n{quoted(told)}"
    await confirmed(question, confirm=confirm)
    await redmine.delete(f"/issue_categories/{number}.json", reassign_to_id=target)
    redmine.forget_names("issue_categories", found["id"])
    return Written(
        what="Category deleted",
        name=name,
        id=number,
        note=f"{issues} issues were in it" + (" and were moved." if target else "."),
    )


async def _assignee(redmine: Redmine, project: dict[str, Any], assignee: str | None) -> list[Wish]:
    if assignee is None:
        return []
    if not assignee.strip():
        return [Wish("assigned_to_id", "", "assigned_to", "")]
    number = await principal_id(redmine, assignee)
    names = await redmine.names("members", project["id"])
    return [Wish("assigned_to_id", number, "assigned_to", line(names.get(number, assignee)))]


def _written(
    what: str,
    wishes: list[Wish],
    project: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
) -> Written:
    changed, not_taken = compared(wishes, before, after)
    return Written(
        what=f"Category {what}" if changed or not before else "Category unchanged",
        name=f"{line(after['name'])} of {line(project['name'])}",
        id=after["id"],
        changed=changed,
        not_taken=not_taken,
    )
