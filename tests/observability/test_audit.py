"""The audit trail: who did what to which object, and never what was written."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from redmine_mcp_core import Effect, Event, EventKind
from redmine_mcp_core.mcp.subjects import objects_of
from redmine_mcp_core.observability.audit import FIELDS, Audit, appending_to
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.settings import SettingsError
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import sign_in

TEXT = "a subject that nobody else may read"


def lines_of(*events: Event) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = []
    audit = Audit(lines.append)
    for event in events:
        audit.note(event)
    return lines


def called(effect: Effect, kind: EventKind = EventKind.TOOL_CALLED) -> Event:
    return Event(
        kind, 5, "client", "update_issue", login="alice", effect=effect, objects=("issue 5",)
    )


def test_a_write_is_a_line() -> None:
    """Who, with which client and tool, what to which object, and under which request."""
    (line,) = lines_of(called(Effect.WRITES))

    assert line == {
        "action": "tool_called",
        "user_id": 5,
        "login": "alice",
        "client_id": "client",
        "tool": "update_issue",
        "effect": "writes",
        "objects": ["issue 5"],
    }
    assert set(line) < set(FIELDS)


@pytest.mark.parametrize("kind", EventKind)
def test_what_is_audited(kind: EventKind) -> None:
    """Writes that were done, failed or were refused, and the begin and the end of sign-ins."""
    not_audited = {"tool_asked", "refreshed", "refresh_postponed", "limited"}

    assert len(lines_of(called(Effect.DESTROYS, kind))) == (kind not in not_audited)


@pytest.mark.parametrize(
    "kind", [EventKind.TOOL_CALLED, EventKind.TOOL_FAILED, EventKind.TOOL_REFUSED]
)
def test_who_reads_is_not_watched(kind: EventKind) -> None:
    """Whether it worked or not."""
    assert lines_of(called(Effect.READS, kind)) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "data", "objects"),
    [
        ("update_issue", {"issue_id": 5}, {"id": 5, "outcome": "updated"}, ("issue 5",)),
        ("create_issue", {"project": "alpha"}, {"id": 44, "url": "u"}, ("issue 44",)),
        (
            "delete_attachment",
            {"attachment_id": 7},
            {"issue_id": 5, "attachment_id": 7},
            ("issue 5", "attachment 7"),
        ),
        (
            "bulk_update_issues",
            {"issue_ids": [1, 2]},
            {"issues": [{"id": 1}, {"id": 2}, {"id": 3}]},
            ("issue 1", "issue 2", "issue 3"),
        ),
        ("update_issue", {"issue_id": 5}, None, ("issue 5",)),
        ("update_issue", {"issue_id": TEXT, "notes": TEXT, "id": True}, {}, ()),
        ("copy_issue", {"issue_id": 5}, {"id": 9}, ("issue 9", "issue 5")),
    ],
)
def test_an_object_is_named_by_kind_and_id(
    tool: str, arguments: dict[str, Any], data: dict[str, Any] | None, objects: tuple[str, ...]
) -> None:
    """From the result, else from the arguments; numbers only, so that no text slips in."""
    assert objects_of(tool, arguments, data) == objects


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """It says who did what."""
    path = tmp_path / "audit.jsonl"
    with appending_to(path) as write:
        write({"action": "signed_in", "login": "zoë\n"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = read(path)
    assert (line["action"], line["login"]) == ("signed_in", "zoë\n")
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize(
    "rotate", [lambda path: path.rename(f"{path}.1"), lambda path: path.unlink()]
)
def test_a_file_that_was_rotated_is_opened_anew(
    tmp_path: Path, rotate: Callable[[Path], object]
) -> None:
    """Without a signal and without a restart; no line is lost and none is written twice."""
    path = tmp_path / "audit.jsonl"
    with appending_to(path) as write:
        write({"number": 1})
        rotate(path)
        write({"number": 2})
        write({"number": 3})

    assert [line["number"] for line in read(path)] == [2, 3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_old_file_is_gone_on_with(tmp_path: Path) -> None:
    """After a restart, and by several workers at once."""
    path = tmp_path / "audit.jsonl"
    with appending_to(path) as one, appending_to(path) as other:
        one({"number": 1})
        other({"number": 2})
        one({"number": 3})

    assert [line["number"] for line in read(path)] == [1, 2, 3]


async def test_a_file_that_cannot_be_opened_stops_the_start(
    sandbox: Target, tmp_path: Path
) -> None:
    """A server without the audit trail that it was told to keep must not run."""
    with pytest.raises(
        SettingsError, match=r"MCP_AUDIT_FILE: .*/audit cannot be written \(No such"
    ):
        async with running_server(sandbox, mcp_audit_file=tmp_path / "nowhere" / "audit"):
            pass


async def test_a_whole_session_in_the_trail(sandbox: Target, tmp_path: Path) -> None:
    """Sign-in, a write, one that is refused, one that fails, a dry run and a read."""
    path = tmp_path / "audit.jsonl"
    async with running_server(sandbox, mcp_audit_file=path) as server:
        await use(server)

    lines = read(path)
    signed_in, updated, failed, mistaken = lines
    assert (signed_in["action"], signed_in["login"], signed_in["user_id"]) == (
        "signed_in",
        "alice",
        5,
    )
    assert (updated["action"], updated["tool"], updated["objects"]) == (
        "tool_called",
        "update_issue",
        ["issue 1"],
    )
    assert (failed["action"], failed["reason"], failed["objects"]) == (
        "tool_failed",
        "not_found",
        ["issue 999999"],
    )
    assert mistaken["objects"] == ["issue 2"]
    for line in lines:
        assert line["client_id"] == signed_in["client_id"]
        assert line["request_id"]
        assert set(line) <= set(FIELDS)
    assert TEXT not in path.read_text(encoding="utf-8")


async def use(server: Running) -> None:
    tokens = await sign_in(server.url)
    async with Client(f"{server.url}/mcp", auth=tokens.access) as client:
        await client.call_tool("get_issue_details", {"issue_id": 1})
        await client.call_tool("update_issue", {"issue_id": 1, "notes": TEXT})
        await client.call_tool("update_issue", {"issue_id": 1, "subject": TEXT, "dry_run": True})
        with pytest.raises(ToolError, match="not_found"):
            await client.call_tool("update_issue", {"issue_id": 999_999, "notes": TEXT})
        with pytest.raises(ToolError, match="bad_arguments"):
            await client.call_tool("update_issue", {"issue_id": 2, TEXT: [1], f"{TEXT}_id": 1})


async def test_a_line_that_cannot_be_written_is_counted(
    sandbox: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call was done and is answered; the alert is for the operator."""
    full = OSError(28, "No space left on device")

    def no_room(*_: object) -> None:
        raise full

    async with running_server(sandbox, mcp_audit_file=tmp_path / "audit") as server:
        monkeypatch.setattr(Audit, "note", no_room)
        await sign_in(server.url)

        assert failures(server.host.metrics) == 1


def failures(metrics: Metrics) -> float:
    for line in metrics.render().decode().splitlines():
        if line.startswith("redmine_mcp_audit_failures_total "):
            return float(line.split()[1])
    return 0
