"""How clients and registries know us: ``server.json`` and the manifest of the MCP bundle.

Both are made from the metadata of the distribution and from the settings (``make docs``), so that
neither can promise another version, or another setting, than there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import metadata
from typing import Any, Literal, get_args, get_origin

from redmine_mcp_core.secret_files import is_secret
from redmine_mcp_core.settings import Settings

DISTRIBUTION = "redmine-mcp-core"
REGISTRY_NAME = "io.github.redmine-mcp/redmine-mcp"
"""Whoever publishes has to own the part before the slash, and the README of the distribution has to
name it all (MCP registry, package ownership)."""
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
MANIFEST_VERSION = "0.4"
"""The first that knows servers run by uv, which need no Python on the person's computer."""
AUTHOR = "The Redmine MCP contributors"
BUNDLED = ("core", "issues", "projects", "prompts", "time", "wiki")
"""The packages of ours that a server of one person needs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A setting that a client asks a person for."""

    field: str
    title: str
    kind: Literal["string", "boolean", "directory"] = "string"
    required: bool = False
    more: str = ""
    """What somebody has to know who has no documentation at hand."""

    @property
    def variable(self) -> str:
        return self.field.upper()

    @property
    def description(self) -> str:
        """The first sentence on the setting: the others are on servers for many."""
        text = (Settings.model_fields[self.field].description or "").replace("`", "")
        return f"{text.partition('. ')[0].rstrip('.')}. {self.more}".strip()

    @property
    def is_secret(self) -> bool:
        return is_secret(Settings.model_fields[self.field])

    @property
    def choices(self) -> list[str]:
        annotation = Settings.model_fields[self.field].annotation
        return list(get_args(annotation)) if get_origin(annotation) is Literal else []


ASKED = (
    Asked("redmine_url", "Address of your Redmine", required=True),
    Asked(
        "redmine_api_key",
        "API key",
        required=True,
        more="You find it on the right of your account page in Redmine.",
    ),
    Asked("mcp_read_only", "Only see, change nothing", "boolean"),
    Asked("mcp_files_folder", "Folder for attachments", "directory"),
)
"""What a person is asked for who installs a bundle."""
FURTHER = (Asked("mcp_tools", "Tools"), Asked("mcp_log_level", "Log level"))
"""What ``server.json`` tells besides."""


def server_json() -> dict[str, Any]:
    """The entry of the MCP registry: ``redmine-mcp stdio`` from the package index, and a pattern
    for the addresses of servers, since everybody runs their own."""
    about = metadata(DISTRIBUTION)
    version = about["Version"]
    package = {
        "registryType": "pypi",
        "identifier": DISTRIBUTION,
        "version": version,
        "runtimeHint": "uvx",
        "runtimeArguments": [
            {
                "type": "named",
                "name": "--with",
                "value": f"{DISTRIBUTION}[all]=={version}",
                "description": "The plugins, which bring the tools.",
            }
        ],
        "packageArguments": [{"type": "positional", "value": "stdio"}],
        "transport": {"type": "stdio"},
        "environmentVariables": [_variable(asked) for asked in (*ASKED, *FURTHER)],
    }
    host = {
        "description": "The host of the Redmine MCP server that your organisation runs.",
        "isRequired": True,
        "placeholder": "mcp.example.com",
    }
    return {
        "$schema": SCHEMA,
        "name": REGISTRY_NAME,
        "title": "Redmine",
        "description": "Work in your Redmine from any MCP client, as yourself.",
        "version": version,
        "packages": [package],
        "remotes": [
            {
                "type": "streamable-http",
                "url": "https://{host}/mcp",
                "variables": {"host": host},
            }
        ],
    }


_FORMATS = {"string": "string", "boolean": "boolean", "directory": "filepath"}


def _variable(asked: Asked) -> dict[str, Any]:
    default = Settings.model_fields[asked.field].default
    variable: dict[str, Any] = {
        "name": asked.variable,
        "description": asked.description,
        "format": _FORMATS[asked.kind],
        "isRequired": asked.required,
        "isSecret": asked.is_secret,
    }
    if asked.choices:
        variable["choices"] = asked.choices
    if isinstance(default, bool | str):
        variable["default"] = str(default).lower()
    return variable


def manifest() -> dict[str, Any]:
    """The manifest of the MCP bundle, for Claude Desktop and others that install such bundles."""
    about = metadata(DISTRIBUTION)
    env = {asked.variable: f"${{user_config.{asked.field}}}" for asked in ASKED}
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": "redmine-mcp",
        "display_name": "Redmine",
        "version": about["Version"],
        "description": "Work in your Redmine, as yourself.",
        "long_description": (
            "Search, read, create and change issues, projects, versions and time in Redmine, with "
            "your own permissions and no others. What destroys something asks you first. Your API "
            "key goes to your Redmine and nowhere else."
        ),
        "author": {"name": AUTHOR},
        "license": about["License-Expression"],
        "keywords": ["redmine", "issues", "projects", "time"],
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "server.py"],
                "env": env,
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": about["Requires-Python"]},
        },
        "user_config": {asked.field: _entry(asked) for asked in ASKED},
    }


def _entry(asked: Asked) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": asked.kind,
        "title": asked.title,
        "description": asked.description,
        "required": asked.required,
    }
    if asked.is_secret:
        entry["sensitive"] = True
    if not asked.required:
        # Without a default, a client leaves the name of the place itself in the variable.
        entry["default"] = False if asked.kind == "boolean" else ""
    return entry


def bundle_project(wheels: dict[str, str], pins: list[str]) -> str:
    """The ``pyproject.toml`` in a bundle: our own wheels, which lie beside it, and everybody
    else's packages at the versions that were tested. ``wheels`` are file names by package."""
    sources = [f'{name} = {{ path = "wheels/{file}" }}' for name, file in sorted(wheels.items())]
    about = metadata(DISTRIBUTION)
    return "\n".join(
        [
            "[project]",
            'name = "redmine-mcp-bundle"',
            f'version = "{about["Version"]}"',
            f'requires-python = "{about["Requires-Python"]}"',
            f"dependencies = {_toml_list(sorted(wheels))}",
            "",
            "[tool.uv]",
            f"constraint-dependencies = {_toml_list(pins)}",
            "",
            "[tool.uv.sources]",
            *sources,
            "",
        ]
    )


def _toml_list(items: list[str]) -> str:
    return "[\n" + "".join(f"    {_toml_text(item)},\n" for item in items) + "]"


def _toml_text(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'
