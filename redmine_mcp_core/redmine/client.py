"""Redmine as one caller sees it: what a tool is handed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from redmine_mcp_core.redmine.errors import (
    AccountLocked,
    BadArgument,
    Forbidden,
    NotFound,
    RedmineError,
    ServerError,
    Unauthorized,
)
from redmine_mcp_core.redmine.fence import Fence
from redmine_mcp_core.redmine.gateway import Credential, Gateway
from redmine_mcp_core.redmine.names import OF_PROJECTS, Kind, find
from redmine_mcp_core.redmine.only_projects import OnlyProjects
from redmine_mcp_core.redmine.sansio import IDENTIFIER, MAX_PAGE_SIZE, segment

_Answer = TypeVar("_Answer")

AT_ONCE = 4
"""Questions for one answer, so that a long list does not take all of Redmine's workers."""
MOST_PROJECTS = 20
"""In so many projects a name is looked for where no project was given."""
REST_ACCOUNT = "/my/account.json"
"""The cheapest question that needs a sign-in: 4 ms, and no scope."""


class Redmine:
    """Redmine's REST API, as the caller. It holds the caller's credential and never shows it."""

    def __init__(
        self,
        gateway: Gateway,
        credential: Credential,
        *,
        fence: Fence | None = None,
        projects: OnlyProjects | None = None,
        on_unauthorized: Callable[[], None] = lambda: None,
    ) -> None:
        """``fence`` holds scopes where Redmine has none: for an API key or a password. ``projects``
        are those to keep to."""
        self._gateway = gateway
        self._credential = credential
        self._fence = fence
        self._projects = projects
        self._on_unauthorized = on_unauthorized
        self._viewer = hashlib.sha256(f"{credential.value} {fence}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Redmine({self._gateway.base_url!r})"

    @property
    def url(self) -> str:
        """Where people reach this Redmine, without a slash at the end."""
        return self._gateway.base_url

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Read; nulls among the parameters are left out. Raises ``RedmineError``."""
        return await self._request("GET", path, params=params)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("POST", path, json=body)

    async def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("PUT", path, json=body)

    async def delete(self, path: str, **params: Any) -> dict[str, Any]:
        """Destroy. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("DELETE", path, params=params)

    async def upload(self, path: str, content: bytes, **params: Any) -> dict[str, Any]:
        """Send a file. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("POST", path, params=params, content=content)

    async def download(self, path: str, *, limit: int) -> bytes:
        """Read a file of at most ``limit`` bytes. Raises ``RedmineError``."""
        if self._fence:
            self._fence.check("GET", path)
        if self._projects:
            self._projects.check_file(path)
        return await self._speaking(
            path, self._gateway.download(path, credential=self._credential, limit=limit)
        )

    async def account(self) -> dict[str, Any]:
        """Who the caller is: id, login, firstname, lastname, and no API key."""
        user: dict[str, Any] = (await self.get(REST_ACCOUNT)).get("user", {})
        user.pop("api_key", None)
        return user

    async def all(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Every item of a paged list, or of one that Redmine does not page.

        The pages after the first are read at the same time. Raises ``RedmineError``.
        """
        first = await self.get(path, **params, limit=MAX_PAGE_SIZE)
        found = first.get(key, [])
        if isinstance(found, dict):
            return [found]
        offsets = range(MAX_PAGE_SIZE, first.get("total_count") or 0, MAX_PAGE_SIZE)
        if "offset" not in first or not offsets:
            return list(found)

        async def page(offset: int) -> list[dict[str, Any]]:
            answer = await self.get(path, **params, limit=MAX_PAGE_SIZE, offset=offset)
            return list(answer.get(key, ()))

        rest = await _some_at_once(page, offsets)
        return [*found, *(item for items in rest for item in items)]

    async def names(self, kind: Kind, of: int | str = "") -> dict[int, str]:
        """Id to name, from a list that is read once in five minutes. Raises ``RedmineError``.

        Versions, categories, members, activities and custom fields are those of a project, by id,
        identifier or name; without one, those of every project that the caller sees.
        """
        if kind in OF_PROJECTS and not of:
            return await self._names_anywhere(kind)
        whose = await self._whose(kind, of)
        return await self._gateway.names.names(kind, self.all, viewer=self._viewer, of=whose)

    async def reference(self, kind: Kind, of: int | str = "") -> list[dict[str, Any]]:
        """The records behind ``names``, as they were within five minutes; nobody may change them.

        Besides, ``role`` has what the role with the id ``of`` may do, ``current_user`` the caller
        with their memberships. Raises ``RedmineError``.
        """
        whose = await self._whose(kind, of)
        return await self._gateway.names.records(kind, self.all, viewer=self._viewer, of=whose)

    async def project(self, wanted: int | str) -> dict[str, Any]:
        """A project as it was within five minutes, by identifier, id or name, open or closed.

        It has its trackers if the caller may see issues. Raises ``BadArgument`` with the projects
        there are, ``NotFound`` for a hidden one, or another ``RedmineError``.
        """
        text = str(wanted).strip()
        if IDENTIFIER.fullmatch(text):
            try:
                return (await self.reference("project", text))[0]
            except (NotFound, Forbidden):
                # Redmine tells hidden from missing (403 and 404); who asks need not learn which.
                pass
        number = await self.id_of("projects", text)
        try:
            return (await self.reference("project", number))[0]
        except (NotFound, Forbidden):
            raise NotFound(f"Project “{text[:80]}”") from None

    async def learned(self, about: str, learn: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What ``learn`` returns, kept for this caller for five minutes under that name."""
        kept, key = self._gateway.names.learned, (self._viewer, about)
        if key in kept:
            answer: _Answer = kept[key]
        else:
            answer = kept[key] = await learn()
        return answer

    async def id_of(self, kind: Kind, wanted: int | str, of: int | str = "") -> int:
        """The id of what was named, by id or name. Raises ``BadArgument`` with the valid names.

        A project may be named by its identifier as well, in any case.
        """
        if kind == "projects":
            folded = str(wanted).strip().casefold()
            for record in await self.reference(kind):
                if record.get("identifier") == folded:
                    return int(record["id"])
        return find(kind, await self.names(kind, of), wanted)

    def forget_names(self, kind: Kind, of: int | str = "") -> None:
        """Read this list again next time: something in it was just changed.

        What is of a project goes by the project's id.
        """
        self._gateway.names.forget(kind, viewer=self._viewer, of=str(of))
        if kind == "projects":
            self._gateway.names.forget_all("project", viewer=self._viewer)

    async def _names_anywhere(self, kind: Kind) -> dict[int, str]:
        """Raises ``BadArgument`` where there are too many projects to look in."""
        projects = await self.names("projects")
        if len(projects) > MOST_PROJECTS:
            raise BadArgument(f"Name the project: there are {len(projects)} of them to look in.")

        async def there(project: int) -> dict[int, str]:
            try:
                return await self.names(kind, project)
            except (NotFound, Forbidden):
                return {}

        found = await _some_at_once(there, projects)
        return {number: name for names in found for number, name in names.items()}

    async def _whose(self, kind: Kind, of: int | str) -> str:
        """What a list is kept under: a project's by its id, however the project was spelt."""
        if kind not in OF_PROJECTS or str(of).isdecimal():
            return segment(of) if of else ""
        try:
            return str((await self.project(of))["id"])
        except Forbidden:  # a sign-in may lack view_project and still see what is in the project
            return segment(of)

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._projects:
            return await self._projects.send(self._send, method, path, **options)
        return await self._send(method, path, **options)

    async def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._fence:
            self._fence.check(method, path)
        answer = await self._speaking(
            path, self._gateway.request(method, path, credential=self._credential, **options)
        )
        return self._fence.trim(answer) if self._fence else answer

    async def _speaking(self, path: str, answer: Awaitable[_Answer]) -> _Answer:
        try:
            return await answer
        except Unauthorized:
            self._on_unauthorized()
            raise
        except ServerError as error:
            if error.status == 500 and await self._is_locked(path):
                raise AccountLocked from None
            raise

    async def _is_locked(self, path: str) -> bool:
        """Whether Redmine fails on everything asked as this user.

        It does so for a locked user with a live token (``nil.oauth_scope=`` in
        app/controllers/application_controller.rb), and ``/oauth/token/info`` does not tell.
        """
        if path == REST_ACCOUNT:
            return True
        try:
            await self._gateway.request("GET", REST_ACCOUNT, credential=self._credential)
        except RedmineError as error:
            return isinstance(error, ServerError) and error.status == 500
        return False


async def _some_at_once(
    ask: Callable[[int], Awaitable[_Answer]], numbers: Iterable[int]
) -> list[_Answer]:
    limited = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> _Answer:
        async with limited:
            return await ask(number)

    return await asyncio.gather(*map(one, numbers))
