"""What the tests of writing have in common: short ways to write, and to look at what it did."""

from __future__ import annotations

from typing import Any

import httpx

from .target import Target

INCLUDE = "journals,watchers,attachments,relations,allowed_statuses"


def create(redmine: Target, login: str = "alice", **fields: Any) -> httpx.Response:
    return redmine.send(login, "POST", "/issues.json", {"issue": fields})


def change(redmine: Target, number: int, login: str = "alice", **fields: Any) -> httpx.Response:
    return redmine.send(login, "PUT", f"/issues/{number}.json", {"issue": fields})


def issue(redmine: Target, number: int, login: str = "alice") -> dict[str, Any]:
    reply = redmine.as_user(login, f"/issues/{number}.json", include=INCLUDE)
    shown: dict[str, Any] = reply.raise_for_status().json()["issue"]
    return shown


def last_journal(redmine: Target, number: int, login: str = "alice") -> dict[str, Any]:
    journals: list[dict[str, Any]] = issue(redmine, number, login)["journals"]
    return journals[-1]


def details(journal: dict[str, Any]) -> list[tuple[str | None, ...]]:
    keys = ("property", "name", "old_value", "new_value")
    return [tuple(detail[key] for key in keys) for detail in journal["details"]]


def assert_done(reply: httpx.Response) -> None:
    assert (reply.status_code, reply.text) == (204, "")


def assert_invalid(reply: httpx.Response, *errors: str) -> None:
    assert (422, {"errors": list(errors)}) == (reply.status_code, reply.json())
