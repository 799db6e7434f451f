"""The sandbox is changed as the real Redmine is, call by call.

The contract beside this says what writing does; this finds where the two differ without anybody
having thought of it. Each scenario begins with the seed, in both.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from . import issue_scenarios, project_scenarios, wiki_scenarios
from .conftest import NEEDS_REAL
from .steps import Step
from .target import Target

pytestmark = NEEDS_REAL

SCENARIOS = issue_scenarios.SCENARIOS | project_scenarios.SCENARIOS | wiki_scenarios.SCENARIOS
# The seed lies in the past of whichever clock the tests run by.
SEEDED = re.compile(r"2026-0[1-4]-")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# Signing in leaves its time with the user; thumbnails need ImageMagick.
NOT_COMPARED = ("thumbnail_url", "last_login_on")


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_writes(fresh_sandbox: Target, fresh_real: Target, name: str) -> None:
    """Each call of a scenario is answered alike, and so is each look at what it has done."""
    real, sandbox = Player(fresh_real), Player(fresh_sandbox)
    for number, step in enumerate(SCENARIOS[name]):
        assert real.play(step) == sandbox.play(step), f"{number}. {step}"


class Player:
    """Plays steps on one Redmine, and tells what can be compared with another's answers."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.token = ""

    def play(self, step: Step) -> tuple[Any, ...]:
        body = step.body
        if isinstance(body, (dict, list)):
            body = _with_token(body, self.token)
        reply = self.target.send(step.login, step.method, step.path, body)
        if reply.status_code == 201 and "upload" in reply.json():
            self.token = reply.json()["upload"]["token"]
        return self._comparable(reply)

    def _comparable(self, reply: httpx.Response) -> tuple[Any, ...]:
        kind = reply.headers.get("Content-Type", "")
        location = reply.headers.get("Location", "").replace(self.target.base_url, "")
        if "html" in kind:
            return reply.status_code, kind
        if "json" not in kind or not reply.text:
            return reply.status_code, kind, location, reply.text
        return reply.status_code, kind, location, self._normal(reply.json())

    def _normal(self, value: Any) -> Any:
        match value:
            case dict():
                return [
                    (name, self._normal(one))
                    for name, one in value.items()
                    if name not in NOT_COMPARED and not _is_arbitrary(name, value)
                ]
            case list():
                return [self._normal(one) for one in value]
            case str():
                text = value.replace(self.target.base_url, "<base>")
                is_new = STAMP.fullmatch(text) and not SEEDED.match(text)
                return "<now>" if is_new else text
            case _:
                return value


def _is_arbitrary(name: str, record: dict[str, Any]) -> bool:
    """Ids of journals and of inherited memberships: Redmine uses more of them than it keeps."""
    return name == "id" and ("private_notes" in record or "roles" in record)


def _with_token(value: Any, token: str) -> Any:
    match value:
        case dict():
            return {name: _with_token(one, token) for name, one in value.items()}
        case list():
            return [_with_token(one, token) for one in value]
        case _:
            return token if value == "$token" else value
