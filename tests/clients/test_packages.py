"""What registries and clients are told of us is what there is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from redmine_mcp_core.clients import packages
from redmine_mcp_core.clients.packages import ASKED, BUNDLED, FURTHER, bundle_project
from redmine_mcp_core.settings import Settings
from tests.e2e.npm import CLIENTS

ROOT = Path(__file__).parents[2]
MADE = {"server.json": packages.server_json, "mcpb/manifest.json": packages.manifest}


def project(folder: str = ".") -> dict[str, Any]:
    text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["project"])


@pytest.mark.parametrize("name", MADE)
def test_make_docs_was_run(name: str) -> None:
    """The file in the repository is the one that the code makes."""
    assert json.loads((ROOT / "packaging" / name).read_text(encoding="utf-8")) == MADE[name]()


def test_the_version_is_that_of_the_project() -> None:
    """All that is released has one version."""
    entry, version = packages.server_json(), project()["version"]
    (package,) = entry["packages"]

    assert {entry["version"], package["version"], packages.manifest()["version"]} == {version}
    assert package["runtimeArguments"][0]["value"].endswith(f"[all]=={version}")


def test_the_registry_can_start_us() -> None:
    """``uvx redmine-mcp-core stdio`` needs a program of that name, and the extra to be there."""
    (package,) = packages.server_json()["packages"]
    ours = project()

    assert package["identifier"] == ours["name"]
    assert ours["scripts"][package["identifier"]] == ours["scripts"]["redmine-mcp"]
    assert "all" in ours["optional-dependencies"]
    assert [argument["value"] for argument in package["packageArguments"]] == ["stdio"]


def test_the_package_owns_its_name() -> None:
    """The registry looks for this line in the description of the package on the index."""
    readme = (ROOT / project()["readme"]).read_text(encoding="utf-8")

    assert f"mcp-name: {packages.REGISTRY_NAME} " in readme


def test_every_variable_is_a_setting() -> None:
    """With its own words, and secret where the setting is."""
    (package,) = packages.server_json()["packages"]
    variables = {item["name"]: item for item in package["environmentVariables"]}

    assert [item.variable for item in (*ASKED, *FURTHER)] == list(variables)
    for name, item in variables.items():
        field = Settings.model_fields[name.lower()]
        assert item["isSecret"] is ("SecretStr" in str(field.annotation))
        assert item["description"][:20] == (field.description or "").replace("`", "")[:20]
        assert "`" not in item["description"]
    assert [name for name, item in variables.items() if item["isSecret"]] == ["REDMINE_API_KEY"]


def test_a_bundle_fills_in_every_variable() -> None:
    """Each is asked for, and one that may be left out has a default: a client would otherwise pass
    the mark for it on as it is."""
    made = packages.manifest()
    env = made["server"]["mcp_config"]["env"]

    for variable, value in env.items():
        (name,) = re.fullmatch(r"\$\{user_config\.(\w+)\}", value).groups()  # type: ignore[union-attr]
        entry = made["user_config"][name]
        assert variable == name.upper()
        assert entry["required"] is not ("default" in entry)
        assert entry.get("sensitive", False) is ("SecretStr" in str(Settings.model_fields[name]))
    assert len(env) == len(made["user_config"])


def test_a_bundle_pins_all_that_it_installs() -> None:
    """Ours come from the wheels beside it, never from an index; others at the tested version."""
    wheels = {f"redmine-mcp-{name}": f"redmine_mcp_{name}-1-py3-none-any.whl" for name in BUNDLED}
    pins = ["mcp==2.3.0", "tomli==2 ; python_version < '3.12'", 'x==1 ; y == "z"']

    made = tomllib.loads(bundle_project(wheels, pins))

    assert (
        set(made["project"]["dependencies"])
        == wheels.keys()
        == made["tool"]["uv"]["sources"].keys()
    )
    assert all(
        Path(source["path"]).parent == Path("wheels")
        for source in made["tool"]["uv"]["sources"].values()
    )
    assert made["tool"]["uv"]["constraint-dependencies"] == pins


def test_the_tool_is_the_tested_one() -> None:
    """Whoever builds without naming another gets the version that the tests use."""
    build = (ROOT / "packaging/mcpb/build").read_text(encoding="utf-8")

    assert f"@anthropic-ai/mcpb@{CLIENTS['@anthropic-ai/mcpb']}" in build
