"""``redmine-mcp doctor``: what is right, what is wrong, and what to do."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import cast

import pytest

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.commands import doctor as doctor_command
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.testing.client import Announced
from tests.support.command_line import Run
from tests.support.servers import Target, free_port, running_server
from tests.support.sign_in import sign_in


async def test_a_set_up_that_is_right(configured: Run) -> None:
    """Exit code 0, with a heading for each part, and no secret anywhere."""
    code, out, err = await configured("doctor")

    assert code == 0, out
    assert err == ""
    for part in ("Plugins", "Settings", "Redmine", "OAuth application", "Token store", "Server"):
        assert f"\n{part}\n" in out
    assert "✗" not in out
    assert "sandbox-secret" not in out


async def test_for_programs(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--json`` is JSON and nothing else; what is wrong is exit code 1."""
    monkeypatch.setenv("REDMINE_CLIENT_SECRET", "another-secret-of-many-letters")
    code, out, _ = await configured("doctor", "--json")

    found = json.loads(out)["findings"]
    assert code == 1
    assert {"about", "state", "what", "advice"} == set(found[0])
    (bad,) = [item for item in found if item["state"] == "fail"]
    assert bad["about"] == "OAuth application"
    assert "another-secret" not in out


async def test_settings_that_cannot_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, sandbox: Target
) -> None:
    """All problems at once, and Redmine and the plugins are looked at all the same."""
    monkeypatch.setenv("REDMINE_URL", sandbox.url)
    monkeypatch.setenv("MCP_PORT", "no number")
    code, out, _ = await run("doctor")

    assert code == 1
    assert out.count("✗") == 3
    assert "MCP_PORT" in out
    assert "Traceback" not in out
    assert f"Redmine answers at {sandbox.url}" in out


async def test_a_broken_plugin(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its reason, and the rest is looked at without it."""

    class FromTheFuture:
        api_version = 99

    entries = cast("list[EntryPoint]", [Announced("broken", FromTheFuture)])
    monkeypatch.setattr(
        doctor_command, "discover_plugins", lambda _: Plugins.discover(installed=entries)
    )
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "broken was left out" in out
    assert "Its REST API is on" in out


class Seen(Result):
    def text(self) -> str:
        return "Seen."


async def test_a_scope_that_redmine_does_not_know(
    configured: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep everybody from signing in, unless a plugin in Redmine brings it: a warning."""
    plugin = Plugin()

    @plugin.tool(title="Look", scopes={"view_projets", "admin"}, read_only=True)
    async def look() -> Seen:
        """Look."""
        return Seen()

    entries = cast("list[EntryPoint]", [Announced("typist", lambda: plugin)])
    monkeypatch.setattr(
        doctor_command, "discover_plugins", lambda _: Plugins.discover(installed=entries)
    )
    _, out, _ = await configured("doctor")

    assert "Redmine itself has no permission called view_projets" in out


async def test_one_person_alone(run: Run, monkeypatch: pytest.MonkeyPatch, sandbox: Target) -> None:
    """With the settings of ``stdio``, what only a server needs is not missed."""
    assert sandbox.sandbox
    monkeypatch.setenv("REDMINE_URL", sandbox.url)
    monkeypatch.setenv("REDMINE_API_KEY", sandbox.sandbox.api_key("alice"))
    code, out, _ = await run("doctor")
    monkeypatch.setenv("REDMINE_API_KEY", "0" * 40)
    refused, told, _ = await run("doctor")

    assert code == 0, out
    assert "The API key is alice's" in out
    assert (refused, "Redmine knows no such API key" in told) == (1, True)


async def test_keys_that_were_changed(
    configured: Run, sandbox: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of another key are counted, and a file that others may read is told."""
    store = f"sqlite:///{tmp_path}/tokens.sqlite3"
    async with running_server(sandbox, token_store_url=store) as server:
        await sign_in(server.url)
    well, good, _ = await configured("doctor")
    (tmp_path / "tokens.sqlite3").chmod(0o644)
    monkeypatch.setenv("JWT_SIGNING_KEY", "k" * 32)
    code, out, _ = await configured("doctor")

    assert well == 0, good
    assert "1 sign-in got through" in good
    assert code == 1
    assert "open with none of the keys" in out
    assert "Other users of this machine may read tokens.sqlite3" in out


async def test_a_store_that_is_away(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said without the password of its address."""
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    monkeypatch.setenv("TOKEN_STORE_URL", url)
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "cannot be used" in out
    assert "secret@" not in out


async def test_several_redmines(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is looked at under its own name."""
    monkeypatch.setenv("MCP_REDMINES", "intern kunden")
    for name in ("INTERN", "KUNDEN"):
        monkeypatch.setenv(f"REDMINE_{name}_URL", sandbox.url)
        monkeypatch.setenv(f"REDMINE_{name}_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv(f"REDMINE_{name}_CLIENT_SECRET", sandbox.client_secret)
    monkeypatch.setenv("REDMINE_KUNDEN_CLIENT_SECRET", "another-secret-of-many-letters")
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "Redmine intern" in out
    assert out.index("OAuth application kunden") < out.index("✗")
