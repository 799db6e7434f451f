"""The table of clients: what it has people paste is what each client reads."""

from __future__ import annotations

import base64
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from rich.text import Text

from redmine_mcp_core.clients.greeting import configuration, typed_command
from redmine_mcp_core.clients.table import (
    ANY,
    CLIENTS,
    YOUR_KEY,
    Client,
    Kind,
    Recipe,
    Server,
    Way,
    cursor_link,
    quickest,
    vscode_link,
)
from redmine_mcp_core.docs import clients as client_docs
from redmine_mcp_core.settings import Settings

ROOT = Path(__file__).parents[2]
FAR = Server("https://mcp.example.com/mcp")
NEAR = Server("http://127.0.0.1:8000/mcp", command=("/opt/my tools/redmine-mcp",))
AWKWARD = Server("https://mcp.example.com/a+b/[red]/ü?x=1&y=~~~/mcp", name="redmine-intern")
SERVERS = pytest.mark.parametrize("server", [FAR, NEAR, AWKWARD], ids=["far", "near", "awkward"])
COMMANDS = (Kind.TERMINAL, Kind.COMMAND)
RECIPES = [(client, recipe) for client in (*CLIENTS, ANY) for recipe in client.recipes]
EACH = pytest.mark.parametrize(
    ("client", "recipe"), RECIPES, ids=[f"{client.name}-{recipe.way}" for client, recipe in RECIPES]
)


def entry_in(snippet: Any, server: Server) -> dict[str, Any]:
    """What a client's file says of the server, under whatever key the client wants it."""
    found = [part[server.name] for part in snippet.values() if server.name in part]
    assert len(found) == 1
    return dict(found[0])


@SERVERS
def test_the_link_for_vscode(server: Server) -> None:
    """``vscode:mcp/install?`` and the entry itself, percent-encoded: VS Code reads it back."""
    scheme, _, query = vscode_link(server).partition("?")

    assert scheme == "vscode:mcp/install"
    assert json.loads(unquote(query)) == {"name": server.name, "type": "http", "url": server.url}
    assert re.fullmatch(r"[\w.~%-]+", query)


@SERVERS
def test_the_link_for_cursor(server: Server) -> None:
    """Name and entry as a browser's own parser of queries reads them; the entry is in base64."""
    parts = urlsplit(cursor_link(server))
    query = parse_qs(parts.query, strict_parsing=True)

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "cursor://anysphere.cursor-deeplink/mcp/install"
    )
    assert query["name"] == [server.name]
    assert json.loads(base64.b64decode(query["config"][0], validate=True)) == {"url": server.url}


@SERVERS
@EACH
def test_a_snippet_names_the_server(client: Client, recipe: Recipe, server: Server) -> None:
    """Whoever pastes it reaches this server, or their own Redmine, and nothing else."""
    text = recipe.text(server)

    named = server.redmine_url if recipe.way is Way.STDIO else server.url
    assert named in text or json.dumps(named)[1:-1] in text
    assert "{" not in recipe.place
    if client is not ANY and recipe.kind is not Kind.MENU:
        assert server.name in text


@SERVERS
@EACH
def test_a_snippet_is_what_its_kind_says(client: Client, recipe: Recipe, server: Server) -> None:
    """A file's part can be parsed; a command falls into the words it was made of."""
    text = recipe.text(server)

    if recipe.kind in COMMANDS:
        assert "\n" not in text
        words = shlex.split(text)
        if recipe.way is Way.HTTP:
            assert words[-1] == server.url or json.loads(words[-1])["url"] == server.url
        else:
            assert words[-len(server.run(recipe.way)) :] == server.run(recipe.way)
    elif recipe.kind is Kind.FILE and client.name != "Goose":
        entry = entry_in(json.loads(text), server)
        if recipe.way is Way.HTTP:
            assert entry == {"url": server.url}
        else:
            assert [entry["command"], *entry["args"]] == server.run(recipe.way)
        assert json.loads(recipe.text(server, one_line=True)) == json.loads(text)
    else:
        assert recipe.kind in {Kind.MENU, Kind.VALUE, Kind.FILE}


@SERVERS
def test_claude_code_tells_the_name_from_the_variables(server: Server) -> None:
    """``--env`` takes all words up to the next option, so one stands between it and the name."""
    (command,) = [
        recipe.text(server)
        for client, recipe in RECIPES
        if client.name == "Claude Code" and recipe.way is Way.STDIO
    ]
    words = shlex.split(command)
    ours = words.index("--")

    assert words[ours + 1 :] == server.run(Way.STDIO)
    assert words[ours - 3 : ours] == ["--transport", "stdio", server.name]


@EACH
def test_no_command_holds_a_key(client: Client, recipe: Recipe) -> None:
    """A shell remembers what was typed; what is typed names a file that holds the key."""
    if recipe.kind in COMMANDS:
        assert YOUR_KEY not in recipe.text(FAR), client.name
        assert "REDMINE_API_KEY=" not in recipe.text(FAR)


@EACH
def test_a_snippet_sets_settings_that_there_are(client: Client, recipe: Recipe) -> None:
    """The variables for ``stdio`` are settings, or the file of one that is a secret."""
    variables = {name.removesuffix("_FILE") for name in FAR.environment(Way.STDIO, key_file="~")}

    assert variables == {"REDMINE_URL", "REDMINE_API_KEY"}
    assert {name.lower() for name in variables} <= Settings.model_fields.keys()
    if recipe.way is Way.STDIO:
        assert all(name in recipe.text(FAR) for name in variables), client.name


def test_goose_reads_its_part() -> None:
    """YAML that nests by two and four blanks, with its texts in quotes."""
    text = next(client for client in CLIENTS if client.name == "Goose").recipes[0].text(AWKWARD)
    lines = [line for line in text.splitlines() if not line.startswith("      ")]

    assert lines[:2] == ["extensions:", f"  {AWKWARD.name}:"]
    assert all(re.fullmatch(r"    [a-z_]+: \S.*", line) for line in lines[2:])
    assert f"    uri: {json.dumps(AWKWARD.url)}" in lines


def test_who_calls_from_the_internet_is_not_sent_to_this_computer() -> None:
    """For a server on loopback there is a way for each client that can have one, and no other."""
    near = {client.name: recipe.way for client, recipe in quickest(NEAR)}
    far = {client.name: recipe.way for client, recipe in quickest(FAR)}

    assert set(far) - set(near) == {"claude.ai", "ChatGPT"}
    assert near["Claude Desktop"] is Way.CONNECT
    assert set(far.values()) == {Way.HTTP}


def test_the_command_is_the_callers_choice() -> None:
    """A client finds our program wherever it is."""
    server = replace(FAR, command=("uvx", "--from", "redmine-mcp-core", "redmine-mcp"))

    entry = json.loads(CLIENTS[1].recipes[1].text(server))["mcpServers"]["redmine"]

    assert entry["command"] == "uvx"
    assert entry["args"] == ["--from", "redmine-mcp-core", "redmine-mcp", "connect", server.url]


def test_what_is_printed_can_be_pasted() -> None:
    """A terminal shows each client's best snippet as it is, with nothing taken for markup."""
    shown = Text.from_markup("\n".join(configuration(AWKWARD))).plain

    for client, recipe in quickest(AWKWARD):
        assert f"{client.name}  {recipe.where}\n" in shown
        for line in recipe.text(AWKWARD, one_line=True).splitlines():
            assert f"  {line}\n" in f"{shown}\n"


def test_a_server_here_is_bridged_by_the_program_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No client finds what is installed in a virtual environment, unless by its whole path."""
    program = tmp_path / "redmine-mcp"
    monkeypatch.setattr(sys, "argv", [str(program), "serve"])

    assert json.dumps(str(program)) in "\n".join(configuration(NEAR))
    assert str(program) not in "\n".join(configuration(FAR))


def test_a_person_is_told_what_they_can_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name where the shell finds the program by it, else the way in which they started it."""
    program = tmp_path / "redmine-mcp"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "argv", [str(program), "init"])
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    away = typed_command()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert away == str(program)
    assert typed_command() == "redmine-mcp"


def test_the_documentation_is_made_from_the_table() -> None:
    """``make docs`` was run, and each snippet stands in the page."""
    page = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert client_docs.sections() in page
    assert client_docs.sources() in page
    assert client_docs.table() in readme
    for client, recipe in RECIPES:
        assert recipe.text(FAR) in page, client.name
