"""One API call, as the answering functions see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.rest.caller import HaltError
from redmine_mcp_sandbox.seed import Project
from redmine_mcp_sandbox.world import World

# Sent with the empty answers; full ones say the charset too.
EMPTY_TYPE = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Call:
    viewer: Viewer
    path: Mapping[str, Any]
    query: QueryParams
    base_url: str

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

    def require_login(self) -> None:
        if self.viewer.user is None:
            deny(self.viewer)

    def require(self, permission: str, project: Project | None) -> None:
        """Refuse unless the viewer holds a permission in the project, or anywhere."""
        allowed = (
            self.viewer.allowed_anywhere(permission)
            if project is None
            else self.viewer.allowed(permission, project)
        )
        if not allowed:
            deny(self.viewer)

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


def answer(body: Any) -> Response:
    headers = {"Cache-Control": "max-age=0, private, must-revalidate"}
    return JSONResponse(body, headers=headers, media_type="application/json; charset=utf-8")


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
