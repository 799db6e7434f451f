"""One call after another: what a scenario is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVERYTHING = "children,attachments,relations,journals,watchers,allowed_statuses"


@dataclass(frozen=True)
class Step:
    """A call; ``$token`` in it stands for the token of the last upload."""

    login: str | None
    method: str
    path: str
    body: Any = None
    """JSON; bytes are a file."""

    def __str__(self) -> str:
        return f"{self.login or 'nobody'}: {self.method} {self.path}"


def get(path: str, login: str | None = "alice") -> Step:
    return Step(login, "GET", path)


def post(path: str, body: Any = None, login: str | None = "alice") -> Step:
    return Step(login, "POST", path, body)


def put(path: str, body: Any = None, login: str | None = "alice") -> Step:
    return Step(login, "PUT", path, body)


def delete(path: str, body: Any = None, login: str | None = "alice") -> Step:
    return Step(login, "DELETE", path, body)


def new_issue(login: str | None = "alice", **fields: Any) -> Step:
    return post("/issues.json", {"issue": fields}, login)


def change(number: int, login: str | None = "alice", **fields: Any) -> Step:
    return put(f"/issues/{number}.json", {"issue": fields}, login)


def look(*numbers: int, login: str = "alice") -> list[Step]:
    """Read issues with all that can be included."""
    return [get(f"/issues/{one}.json?include={EVERYTHING}", login) for one in numbers]


def relate(number: int, login: str | None = "alice", **fields: Any) -> Step:
    return post(f"/issues/{number}/relations.json", {"relation": fields}, login)


def upload(name: str, content: bytes, login: str | None = "alice", kind: str = "") -> Step:
    more = f"&content_type={kind}" if kind else ""
    return post(f"/uploads.json?filename={name}{more}", content, login)
