"""One API call, as the answering functions see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.rest.caller import HaltError
from redmine_mcp_sandbox.seed import Project, User
from redmine_mcp_sandbox.world import World

FoundT = TypeVar("FoundT")

# Sent with the empty answers; full ones say the charset too.
EMPTY_TYPE = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Call:
    viewer: Viewer
    path: Mapping[str, Any]
    query: QueryParams
    base_url: str
    form: Mapping[str, Any] = field(default_factory=dict)
    """What the body says: JSON, or a form without nesting."""
    url_path: str = ""
    upload: bytes | None = None
    """The body, if it is a file (application/octet-stream)."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Query and body together, as Rails hands them to an action; the body counts more."""
        return {**self.query, **self.form}

    def attributes(self, record: str) -> dict[str, Any]:
        """What the body says about a record: ``{"issue": {...}}``.

        Raises:
            HaltError: 500, something else than fields stands there.
        """
        given = self.form.get(record) or {}
        if not isinstance(given, dict):
            server_error()
        return dict(given)

    @property
    def world(self) -> World:
        return self.viewer.world

    @property
    def includes(self) -> frozenset[str]:
        return frozenset(part.strip() for part in self.query.get("include", "").split(","))

    @property
    def window(self) -> tuple[int, int]:
        """Offset and limit: 1 to 100 records, 25 by default (``api_offset_and_limit``)."""
        limit = to_i(self.query.get("limit", ""))
        limit = 25 if limit < 1 else min(limit, 100)
        if self.query.get("offset"):
            return max(to_i(self.query["offset"]), 0), limit
        if self.query.get("page"):
            return max((to_i(self.query["page"]) - 1) * limit, 0), limit
        return 0, limit

    def paged(self, name: str, records: Sequence[Any], total: int | None) -> dict[str, Any]:
        offset, limit = self.window
        meta = {"total_count": total, "offset": offset, "limit": limit}
        return {name: list(records)} | ({} if self.query.get("nometa") == "1" else meta)

    def cut(self, records: Sequence[Any]) -> Sequence[Any]:
        offset, limit = self.window
        return records[offset : offset + limit]

    @property
    def me(self) -> User:
        """The user, after ``require_login`` or a permission that nobody unknown holds."""
        if self.viewer.user is None:
            deny(self.viewer)
        return self.viewer.user

    def require_login(self) -> None:
        if self.viewer.user is None:
            deny(self.viewer)

    def require(self, permission: str, project: Project | None) -> None:
        """Refuse unless the viewer holds a permission in the project, or anywhere."""
        self.require_one_of((permission,), project)

    def require_one_of(self, permissions: Iterable[str], project: Project | None) -> None:
        """Refuse unless the viewer holds one of the permissions that open an action."""
        allowed = (
            any(map(self.viewer.allowed_anywhere, permissions))
            if project is None
            else self.viewer.allowed_one_of(permissions, project)
        )
        if not allowed:
            deny(self.viewer)

    def find(self, table: Mapping[int, FoundT], reference: object) -> FoundT:
        """A record by id.

        Raises:
            HaltError: 404, there is none.
        """
        record = table.get(to_i(str(reference)))
        if record is None:
            not_found()
        return record

    def find_project(self, reference: str) -> Project:
        project = self.world.project(reference)
        if project is None:
            not_found()
        return project


def deny(viewer: Viewer) -> NoReturn:
    """Refuse: 403, or for somebody unknown 401 with a challenge (``deny_access``)."""
    if viewer.user is not None:
        raise HaltError(Response(status_code=403, headers=EMPTY_TYPE))
    challenge = {"WWW-Authenticate": 'Basic realm="Redmine API"'}
    raise HaltError(Response(status_code=401, headers=EMPTY_TYPE | challenge))


def not_found() -> NoReturn:
    raise HaltError(Response(status_code=404, headers=EMPTY_TYPE))


def invalid(complaints: list[str]) -> NoReturn:
    headers = {"Cache-Control": "no-cache"}
    raise HaltError(
        JSONResponse({"errors": complaints}, 422, headers, "application/json; charset=utf-8")
    )


def halt(status: int, error: str) -> NoReturn:
    """Answer as Rails does where Redmine itself has not caught what went wrong."""
    body = {"status": status, "error": error}
    raise HaltError(JSONResponse(body, status, media_type="application/json; charset=utf-8"))


def server_error() -> NoReturn:
    """Where Redmine itself stumbles."""
    halt(500, "Internal Server Error")


def answer(body: Any) -> Response:
    return _json(body, 200)


def created(body: Any, location: str | None = None) -> Response:
    response = _json(body, 201)
    if location:
        response.headers["Location"] = location
    return response


def done() -> Response:
    """What Redmine says to a change that worked: nothing (``render_api_ok``)."""
    return Response(status_code=204, headers={"Cache-Control": "no-cache"})


def refused() -> NoReturn:
    """A 422 without a word: the record cannot be deleted."""
    raise HaltError(Response(status_code=422, headers=EMPTY_TYPE))


def _json(body: Any, status: int) -> Response:
    headers = {"Cache-Control": "max-age=0, private, must-revalidate"}
    return JSONResponse(body, status, headers, media_type="application/json; charset=utf-8")


def named(record: Any) -> dict[str, Any]:
    """How answers mention a record: by id and name."""
    return {"id": record.id, "name": record.name}


def without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def to_i(text: str) -> int:
    """Ruby's ``to_i``: the leading number, else 0."""
    digits = ""
    for character in text.strip():
        if not (character.isdecimal() or (not digits and character == "-")):
            break
        digits += character
    return int(digits) if digits.strip("-") else 0
