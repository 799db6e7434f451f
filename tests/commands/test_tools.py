"""``redmine-mcp tools``: what a model is offered, and calling a tool by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmine_mcp_core.testing import seen_by_model
from tests.support.command_line import Run, command_line
from tests.support.servers import Target


@pytest.fixture
def run(
    sandbox: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """As alice."""
    assert sandbox.sandbox
    env = {"REDMINE_URL": sandbox.url, "REDMINE_API_KEY": sandbox.sandbox.api_key("alice")}
    with command_line(tmp_path, monkeypatch, capsys, **env) as run:
        yield run


async def test_the_list(run: Run) -> None:
    """Listed and unlisted tools, with effect, scopes and bytes."""
    code, out, _ = await run("tools", "--json")
    table = (await run("tools"))[1]

    rows = {row["name"]: row for row in json.loads(out)["tools"]}
    assert code == 0
    assert rows["list_issues"]["listed"]
    assert not rows["delete_issue"]["listed"]
    assert rows["delete_issue"]["effect"] == "destroys"
    assert rows["delete_issue"]["scopes"] == ["delete_issues", "view_issues"]
    assert rows["find_tools"]["listed"]
    listed = sum(row["bytes"] for row in rows.values() if row["listed"])
    assert f"tools, {listed:,} bytes" in table


async def test_one_tool_as_a_model_reads_it(run: Run) -> None:
    """Its schema, and the bytes of just what a model is shown."""
    code, out, _ = await run("tools", "get_project", "--json")

    row = json.loads(out)

    class Shown:
        name, description, input_schema = row["name"], row["description"], row["input_schema"]

    assert code == 0
    assert row["input_schema"]["properties"]["project"]["type"] == "string"
    assert row["bytes"] == len(seen_by_model(Shown()).encode())  # type: ignore[arg-type]


async def test_without_any_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list needs no Redmine; MCP_READ_ONLY narrows it."""
    monkeypatch.setenv("MCP_READ_ONLY", "true")
    narrowed = (await run("tools"))[1]
    monkeypatch.delenv("REDMINE_URL")
    code, out, _ = await run("tools")

    assert "delete_issue" not in narrowed
    assert code == 0
    assert "delete_issue" in out


async def test_calling_one(run: Run) -> None:
    """It is called as the person of the key; --json gives the data."""
    code, out, _ = await run("tools", "call", "list_projects")
    data = json.loads((await run("tools", "call", "list_projects", "--json"))[1])

    assert code == 0
    assert "gamma: Gamma (private)" in out
    assert "alpha" in json.dumps(data)


@pytest.mark.parametrize(
    ("arguments", "options", "code", "said"),
    [
        (["--yes"], {}, 0, ""),
        ([], {"answers": "y\ny\n"}, 0, "destroys something"),
        ([], {"answers": "n\n"}, 1, "It was not called."),
        ([], {"answers": "y\nn\n"}, 1, "did not agree"),
        ([], {}, 1, "Say so with --yes"),
    ],
    ids=["--yes", "agreed twice", "not at all", "not to that issue", "nobody there"],
)
async def test_what_destroys_asks_first(
    run: Run,
    arguments: list[str],
    options: dict[str, str],
    code: int,
    said: str,
) -> None:
    """Before the call, and again where the tool itself asks; --yes stands for both."""
    call = ["tools", "call", "delete_issue", '{"issue_id": 1, "hours": "destroy"}']
    ended, out, err = await run(*call, *arguments, **options)
    gone = (await run("tools", "call", "get_issue_details", '{"issue_id": 1}'))[0]

    assert ended == code, (out, err)
    assert said in err
    assert gone == (1 if code == 0 else 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["call", "nosuch"], 1, "nosuch"),
        (["call", "list_issues", "{"], 2, "The arguments are no JSON"),
        (["call", "list_issues", "[]"], 2, "must be a JSON object"),
        (["call", "get_project", '{"project": "nosuch"}'], 1, "nosuch"),
        (["nosuch"], 1, "There is no tool nosuch"),
        (["call"], 2, "NAME"),
    ],
    ids=["unknown", "no JSON", "no object", "refused", "not shown", "no name"],
)
async def test_what_cannot_be(run: Run, arguments: list[str], code: int, said: str) -> None:
    """One sentence, and no traceback."""
    ended, _, err = await run("tools", *arguments)

    assert ended == code
    assert said in err
    assert "Traceback" not in err
