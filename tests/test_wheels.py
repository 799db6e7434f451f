"""The distributions as people install them: built, put into an empty environment, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheels

ROOT = Path(__file__).parents[1]
PLUGINS = "issues projects prompts sandbox storage_redis storage_sqlite time wiki".split()
SETTINGS = {
    "REDMINE_URL": "http://127.0.0.1:9",
    "REDMINE_CLIENT_ID": "some-client",
    "REDMINE_CLIENT_SECRET": "long-enough-for-a-secret",
}


def run(
    *command: str | Path, check: bool = True, **options: object
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)  # type: ignore[call-overload]
    assert not check or done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All our wheels by their package, fresh from the source."""
    folder = tmp_path_factory.mktemp("wheels")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    for source in (ROOT, *(ROOT / "plugins" / name for name in PLUGINS)):
        run(*build, source)
    return {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds nothing but what was asked for."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, requirements: Sequence[str | Path]) -> Environment:
        """Install these, and what they need, with uv where there is one, else with pip."""
        uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
        venv.create(folder, with_pip=not uv)
        python = folder / "bin/python"
        if uv:
            run(uv, "pip", "install", "--python", python, *requirements)
        else:
            run(python, "-m", "pip", "install", *requirements)
        return cls(folder)

    def redmine_mcp(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **settings}
        command = self.folder / "bin/redmine-mcp"
        return run(command, *arguments, check=False, cwd=self.folder, env=environment)


def test_each_wheel_holds_its_package(wheels: dict[str, Path]) -> None:
    """A wheel is one package with its types: no tests, nothing else of the workspace."""
    assert {"redmine_mcp_core", *(f"redmine_mcp_{name}" for name in PLUGINS)} == wheels.keys()
    for package, wheel in wheels.items():
        names = zipfile.ZipFile(wheel).namelist()
        tops = {name.partition("/")[0] for name in names}
        assert {package, f"{package}-{wheel.name.split('-')[1]}.dist-info"} == tops
        assert f"{package}/py.typed" in names


def test_everything_installed(wheels: dict[str, Path], tmp_path: Path) -> None:
    """``redmine-mcp-core[all]`` is the host with six plugins, and every one of them loads."""
    core = f"redmine-mcp-core[all] @ {wheels['redmine_mcp_core'].as_uri()}"
    plugins = [wheel for package, wheel in wheels.items() if package != "redmine_mcp_core"]
    environment = Environment.of(tmp_path / "all", [core, *plugins])

    listed = environment.redmine_mcp("plugins", "--json")

    assert listed.returncode == 0, listed.stderr
    reports = json.loads(listed.stdout)["plugins"]
    assert dict.fromkeys(PLUGINS, "loaded") == {row["name"]: row["state"] for row in reports}
    assert {f"redmine-mcp-{name.replace('_', '-')}" for name in PLUGINS} == {
        row["distribution"] for row in reports
    }


def test_little_installed(wheels: dict[str, Path], tmp_path: Path) -> None:
    """Without a plugin that a command needs, it ends with the one line that installs it."""
    few = [wheels["redmine_mcp_core"], wheels["redmine_mcp_issues"]]
    environment = Environment.of(tmp_path / "few", few)

    listed = environment.redmine_mcp("plugins", "--json")
    serve = environment.redmine_mcp("serve", **SETTINGS)
    demo = environment.redmine_mcp("demo")

    assert [row["name"] for row in json.loads(listed.stdout)["plugins"]] == ["issues"]
    assert (serve.returncode, demo.returncode) == (2, 2)
    assert "pip install redmine-mcp-storage-sqlite" in serve.stderr
    assert "pip install redmine-mcp-sandbox" in demo.stderr
    assert "Traceback" not in serve.stderr + demo.stderr
