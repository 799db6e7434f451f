"""Keeping to some projects: what the operator named in ``MCP_PROJECTS``, whoever comes in.

Redmine limits a sign-in by permissions and not by projects. Here each request is made to stay
within the projects before it leaves: a list is asked for those alone, a single thing is looked at
first. A request whose project cannot be told is refused, so what is forgotten here is closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from cachetools import TTLCache

from redmine_mcp_core.redmine.errors import Forbidden, NotFound, Unreadable
from redmine_mcp_core.redmine.long_filters import long_form
from redmine_mcp_core.redmine.sansio import objects

Send = Callable[..., Awaitable[dict[str, Any]]]
"""Sends method, path and options to Redmine, as the caller."""

KNOWN_SECONDS = 300
"""How long it is trusted in which project a thing lies, and that it hangs on one seen."""

_OF_NO_PROJECT = frozenset("my users issue_statuses trackers roles enumerations".split())
_LISTED = frozenset({"issues", "time_entries"})
"""What Redmine lists over all projects and can filter by them."""
_SINGLE = {
    "issues": "issue",
    "time_entries": "time_entry",
    "versions": "version",
    "issue_categories": "issue_category",
    "memberships": "membership",
    "news": "news",
}
"""What stands by itself under an id, and the key under which its answer holds it."""
_HANGING = frozenset({"journals", "attachments", "relations"})
"""What hangs on an issue and does not say on which."""


class OnlyProjects:
    """The projects that may be worked in. One for all callers: it remembers no texts."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._identifiers = tuple(identifiers)
        self._ids: dict[str, int] = {}
        self._parents: dict[int, int] = {}
        self._project_of: TTLCache[str, int] = TTLCache(100_000, KNOWN_SECONDS)
        self._seen: TTLCache[str, bool] = TTLCache(100_000, KNOWN_SECONDS)

    def __repr__(self) -> str:
        return f"OnlyProjects({' '.join(self._identifiers)})"

    async def send(self, send: Send, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request as far as it stays within the projects, and return the answer.

        Raises: ``NotFound`` for what lies elsewhere, ``Forbidden`` where that cannot be told.
        """
        parts = path.removesuffix(".json").strip("/").split("/")
        allowed = await self._allowed(send)
        match method, parts:
            case "GET", [kind, *_] if kind in _OF_NO_PROJECT:
                return await send(method, path, **options)
            case "POST", ["uploads"]:
                return self._noted(await send(method, path, **options))
            case "GET", ["projects"]:
                return _only(await send(method, path, **options), "projects", allowed, own=True)
            case "GET", ["projects", project, kind] if kind in _LISTED:
                asked = {**(options.get("params") or {}), "project_id": project}
                asked.setdefault("subproject_id", "*")
                return await self._list(send, kind, asked, allowed)
            case "GET", ["projects", project, "search"]:
                self._inside(project, allowed)
                asked = {**(options.get("params") or {}), "scope": None}  # in no subproject
                return await send(method, path, params=asked)
            case "PUT", ["projects", project, "wiki", _]:
                self._inside(project, allowed)
                await self._check_page(send, path, options)
                return await send(method, path, **options)
            case _, ["projects", project, *_]:
                self._inside(project, allowed)
                await self._check_body(send, options, allowed)
                return await send(method, path, **options)
            case "GET", [kind] if kind in _LISTED:
                return await self._list(send, kind, options.get("params") or {}, allowed)
            case "POST", [kind] if kind in _LISTED:
                await self._check_body(send, options, allowed)
                return await send(method, path, **options)
            case _, [kind, number, *_] if kind in _SINGLE:
                await self._check_one(send, kind, number, allowed)
                await self._check_body(send, options, allowed)
                return self._noted(await send(method, path, **options))
            case _, [kind, *rest] if kind in _HANGING:
                self._check_seen(kind, rest)
                return await send(method, path, **options)
            case _:
                raise Forbidden(
                    f"This server keeps to the projects {', '.join(self._identifiers)}. "
                    "Name one of them."
                )

    def check_file(self, path: str) -> None:
        """Raises ``Forbidden`` for a file that hangs on no issue seen in these projects."""
        kind, *rest = path.strip("/").split("/")
        self._check_seen(kind, rest)

    async def _allowed(self, send: Send) -> frozenset[int]:
        """The ids of those projects that the caller may see. Whether they may, Redmine says."""
        for identifier in self._identifiers:
            if identifier not in self._ids:
                try:
                    found = await send("GET", f"/projects/{identifier}.json")
                except (NotFound, Forbidden):
                    continue
                number = self._ids[identifier] = found["project"]["id"]
                self._parents[number] = (found["project"].get("parent") or {}).get("id", 0)
        return frozenset(self._ids.values())

    def _inside(self, project: Any, allowed: frozenset[int]) -> int:
        text = str(project)
        number = self._ids.get(text, int(text) if text.isdecimal() else 0)
        if number not in allowed:
            raise NotFound("That project")
        return number

    async def _list(
        self, send: Send, kind: str, params: dict[str, Any], allowed: frozenset[int]
    ) -> dict[str, Any]:
        """A list over the projects that are asked for, with their subprojects if they are."""
        projects = self._asked(params, allowed)
        if len(projects) > 1 and "query_id" in params:
            # A saved query brings filters of its own, which may be of other projects.
            raise Forbidden("Name a project together with a saved query here.")
        if len(projects) > 1:
            params = long_form(params, projects, issues=kind == "issues")
        else:
            params = {**params, "project_id": next(iter(projects)), "subproject_id": "!*"}
        answer = await send("GET", f"/{kind}.json", params=params)
        return self._noted(_only(answer, kind, allowed))

    def _asked(self, params: dict[str, Any], allowed: frozenset[int]) -> frozenset[int]:
        """Raises ``NotFound`` for a project beyond these."""
        named = params.get("project_id")
        if named in (None, ""):
            if not allowed:
                raise NotFound("Those projects")
            return allowed
        found = {self._inside(project, allowed) for project in str(named).split("|")}
        # Categories and saved queries are those of one project.
        alone = params.keys() & {"category_id", "issue.category_id", "query_id"}
        if params.get("subproject_id") == "*" and not alone:
            found |= {one for one in allowed if not found.isdisjoint(self._above(one))}
        return frozenset(found)

    def _above(self, project: int) -> Iterator[int]:
        """The projects above one, up to the first that lies beyond these."""
        while parent := self._parents.get(project):
            yield parent
            project = parent

    async def _check_one(self, send: Send, kind: str, number: str, allowed: frozenset[int]) -> None:
        key = f"{kind}/{number}"
        project = self._project_of.get(key)
        if project is None:
            answer = await send("GET", f"/{kind}/{number}.json")
            project = ((answer.get(_SINGLE[kind]) or {}).get("project") or {}).get("id")
        if project is None or project not in allowed:
            raise NotFound("That")
        self._project_of[key] = project

    async def _check_page(self, send: Send, path: str, options: dict[str, Any]) -> None:
        """Raises ``Forbidden`` for a wiki page that lies elsewhere, or would then.

        What is written to the former title of a page that was moved reaches it in its new project
        (app/models/wiki.rb, ``find_page``); who reads under that title is sent there instead.
        """
        if (options.get("json") or {}).get("wiki_page", {}).get("wiki_id") not in (None, ""):
            raise Forbidden("Wiki pages stay in their project here.")
        try:
            await send("GET", path)
        except NotFound:  # it will be a new one
            return
        except Unreadable:
            raise Forbidden("This page was renamed or moved: use the title that it has.") from None

    async def _check_body(
        self, send: Send, options: dict[str, Any], allowed: frozenset[int]
    ) -> None:
        """What is written must lie, and point, within the projects."""
        for fields in (options.get("json") or {}).values():
            if not isinstance(fields, dict):
                continue
            if fields.get("project_id") not in (None, ""):
                self._inside(fields["project_id"], allowed)
            for name in ("issue_id", "issue_to_id", "parent_issue_id"):
                if fields.get(name) not in (None, ""):
                    await self._check_one(send, "issues", str(fields[name]), allowed)

    def _check_seen(self, kind: str, rest: Sequence[str]) -> None:
        number = next((part for part in rest if part.isdigit()), "")
        if f"{kind}/{number}" not in self._seen:
            raise Forbidden("Read the issue first that this belongs to.")

    def _noted(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Remember what hangs on the issues of an answer; leave out what may lie elsewhere."""
        for item in objects(answer):
            for kind in _HANGING:
                for hanging in item.get(kind) or ():
                    self._seen[f"{kind}/{hanging['id']}"] = True
            # Subtasks say no project of their own, and tell their subjects.
            item.pop("children", None)
        if upload := answer.get("upload"):
            self._seen[f"attachments/{upload['id']}"] = True
        return answer


def _only(
    answer: dict[str, Any], kind: str, allowed: frozenset[int], *, own: bool = False
) -> dict[str, Any]:
    """The answer with the items of these projects alone; ``own``: the items are projects."""
    found = answer.get(kind, [])
    kept = [
        item for item in found if (item if own else item.get("project") or {}).get("id") in allowed
    ]
    if len(kept) < len(found):
        answer = {**answer, kind: kept, "total_count": len(kept)}
    return answer
