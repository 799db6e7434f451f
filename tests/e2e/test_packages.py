"""The packages for clients, judged by the tools of those who read them."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.clients.packages import SCHEMA, server_json
from tests.e2e import npm
from tests.support.servers import Target

pytestmark = pytest.mark.npm

ROOT = Path(__file__).parents[2]
CACHE = npm.CACHE.parent / "packages"
SCHEMAS = "skillsaw==0.22.0"
"""A linter that ships each schema that the MCP registry has published, word by word: the registry
itself puts them into no package, and its own tool asks the registry over the network."""
UV = "uv==0.13.8"
CONFIG = """
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from %s;
const [extensionPath, userConfig] = process.argv.slice(1);
const manifest = JSON.parse(readFileSync(`${extensionPath}/manifest.json`, "utf8"));
const config = await getMcpConfigForManifest({
  manifest, extensionPath, systemDirs: {}, userConfig: JSON.parse(userConfig), pathSeparator: "/",
});
console.log(JSON.stringify(config ?? null));
"""
"""What Claude Desktop does with a manifest and with what a person entered."""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def fetched(requirement: str) -> Path:
    """A package of the index in a folder of its own; the test is skipped where it is not to be
    had."""
    folder = CACHE / requirement
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
            pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
            answer = run(*pip, "install", "-q", "--no-deps", "--target", folder, requirement)
            if answer.returncode:
                pytest.skip(f"A PACKAGE WAS NOT CHECKED: no {requirement}: {answer.stderr[-400:]}")
            (folder / "done").touch()
    return folder


def complaints(document: dict[str, Any]) -> list[str]:
    day = document["$schema"].split("/")[-2].replace("-", "_")
    folder = fetched(SCHEMAS) / "skillsaw/schemas/mcp_registry" / f"v{day}"
    schema = json.loads((folder / "server.schema.json").read_text(encoding="utf-8"))
    assert schema["$id"] == SCHEMA
    return [error.message for error in Draft7Validator(schema).iter_errors(document)]


def test_the_registry_takes_our_entry() -> None:
    """``server.json`` keeps the released schema that it names."""
    assert complaints(json.loads((ROOT / "packaging/server.json").read_text())) == []


@pytest.mark.parametrize("change", [{"description": "x" * 101}, {"name": "redmine"}])
def test_the_schema_is_a_strict_one(change: dict[str, str]) -> None:
    """What the registry would refuse is found here."""
    assert len(complaints({**server_json(), **change})) == 1


@pytest.fixture(scope="module")
def tools() -> npm.Npm:
    return npm.installed()


@pytest.fixture(scope="module")
def bundle(tools: npm.Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, packed by the official tool, and unpacked by it again."""
    folder = tmp_path_factory.mktemp("bundle")
    mcpb = tools.command("@anthropic-ai/mcpb")
    env = {**os.environ, "MCPB": shlex.join(mcpb)}
    built = run(sys.executable, ROOT / "packaging/mcpb/build", folder, env=env)
    assert built.returncode == 0, built.stdout + built.stderr
    run(*mcpb, "unpack", folder / "redmine-mcp.mcpb", folder / "unpacked", check=True)
    return folder


def config(tools: npm.Npm, folder: Path, entered: dict[str, Any]) -> dict[str, Any] | None:
    module = npm.CACHE / "node_modules/@anthropic-ai/mcpb/dist/index.js"
    script = CONFIG % json.dumps(module.as_uri())
    module_script = ("--input-type=module", "--eval", script)
    answer = run(tools.node, *module_script, folder, json.dumps(entered), check=True)
    found: dict[str, Any] | None = json.loads(answer.stdout)
    return found


def test_the_tool_takes_our_manifest(tools: npm.Npm, tmp_path: Path) -> None:
    """The official tool finds nothing wrong with it, and would find a misspelling."""
    mcpb = tools.command("@anthropic-ai/mcpb")
    manifest = json.loads((ROOT / "packaging/mcpb/manifest.json").read_text(encoding="utf-8"))
    codes = []
    for document in (manifest, {**manifest, "sever": {}}):
        (tmp_path / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        codes.append(run(*mcpb, "validate", tmp_path / "manifest.json").returncode)

    assert codes == [0, 1]


def test_a_bundle_holds_what_it_needs_and_no_more(bundle: Path) -> None:
    """Our wheels and three small files, in well under a megabyte."""
    file = bundle / "redmine-mcp.mcpb"
    names = {name.partition("-")[0] for name in zipfile.ZipFile(file).namelist()}

    assert names == {
        "manifest.json",
        "pyproject.toml",
        "server.py",
        "wheels/redmine_mcp_core",
        "wheels/redmine_mcp_issues",
        "wheels/redmine_mcp_projects",
        "wheels/redmine_mcp_prompts",
        "wheels/redmine_mcp_time",
        "wheels/redmine_mcp_wiki",
    }
    assert file.stat().st_size < 1_000_000


def test_a_client_asks_before_it_starts(tools: npm.Npm, bundle: Path) -> None:
    """Without an address or a key nothing is started."""
    assert (
        config(tools, bundle / "unpacked", {"redmine_url": "https://redmine.example.com"}) is None
    )


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_client_starts_the_bundle(
    sandbox: Target, tools: npm.Npm, bundle: Path, read_only: bool
) -> None:
    """Unpacked, with what the person entered, it serves that person."""
    key = Sandbox().api_key("alice")
    entered = {"redmine_url": sandbox.url, "redmine_api_key": key, "mcp_read_only": read_only}
    start = config(tools, bundle / "unpacked", entered)
    assert start
    assert key not in json.dumps(start["args"])
    ours = {name: value for name, value in os.environ.items() if name[:4] not in {"REDM", "MCP_"}}
    path = f"{fetched(UV) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**ours, "PATH": path, "UV_PYTHON": sys.executable, "UV_SYSTEM_CERTS": "1"}
    # pip may be set up to reach packages where uv, which reads other settings, is not.
    look = ["uv", "pip", "install", "--dry-run", "--reinstall", "--no-deps", "cachetools"]
    if run(*look, "--python", sys.executable, env=env).returncode:
        pytest.skip("uv reaches no packages here: the bundle was not started")
    env |= start["env"]
    transport = StdioTransport(start["command"], start["args"], env=env, keep_alive=False)

    async with Client(transport, timeout=120, init_timeout=300) as client:
        me = await client.read_resource("redmine://users/me")
        tools_listed = {tool.name for tool in await client.list_tools()}

    assert "alice" in str(me)
    assert "list_issues" in tools_listed
    assert ("create_issue" in tools_listed) is not read_only
