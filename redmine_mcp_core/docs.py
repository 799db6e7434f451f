"""The parts of the documentation that are made from the code (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from redmine_mcp_core.plugins import PluginReport
from redmine_mcp_core.settings import Settings

_MADE_AT_START = {"token_store_url": "SQLite, in your data directory"}


@dataclass(frozen=True, slots=True)
class SettingRow:
    name: str
    default: str
    description: str
    required: bool


def setting_rows() -> Iterator[SettingRow]:
    """Every setting in the order of ``Settings``."""
    for name, field in Settings.model_fields.items():
        secret = "SecretStr" in str(field.annotation)
        description = field.description or ""
        if secret:
            description += f" Or `{name.upper()}_FILE`: a file that holds it."
        yield SettingRow(
            name=name.upper(),
            default=_MADE_AT_START.get(name, _default(field.default)),
            description=description,
            required=field.is_required(),
        )


def _default(value: object) -> str:
    return "" if value is None or value == [] or "Undefined" in repr(value) else str(value)


def settings_table() -> str:
    """The table of settings, in Markdown."""
    lines = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for row in setting_rows():
        default = "**required**" if row.required else f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {default} | {row.description} |")
    return "\n".join(lines)


def env_example() -> str:
    """``.env.example``: every setting with its meaning, the optional ones commented out."""
    blocks = [
        "# Settings of redmine-mcp. Copy this file to .env and fill in the first three.\n"
        "# It is made from redmine_mcp_core/settings.py by `make docs`."
    ]
    for row in setting_rows():
        mark = "" if row.required or row.name == "REDMINE_CLIENT_SECRET" else "# "
        value = "" if row.name == "TOKEN_STORE_URL" else row.default
        blocks.append(f"# {row.description.replace('`', '')}\n{mark}{row.name}={value}")
    return "\n\n".join(blocks) + "\n"


def tools_page(plugins: Iterable[PluginReport]) -> str:
    """``docs/tools.md``: every tool, resource and prompt of these plugins."""
    blocks = [
        "# Tools, resources and prompts\n\n"
        "Made from the code by `make docs`. A tool that is not listed costs a model nothing until "
        "it is looked for with `find_tools`; `call_tool` then calls it. Without its scopes a tool "
        "is neither listed nor called."
    ]
    for report in plugins:
        components = report.components
        lines = [f"## {report.name}"]
        if components.tools:
            lines += ["", "| Tool | What it does | | Listed | Scopes |", "|---|---|---|---|---|"]
        for tool in components.tools:
            declared = tool.declaration
            listed = "yes" if declared.listed else ""
            scopes = ", ".join(sorted(declared.scopes))
            lines.append(
                f"| `{tool.name}` | {_sentence(tool.description)} | {declared.effect} | {listed} "
                f"| {scopes} |"
            )
        others = [
            *((str(item.uri), item.description) for item in components.resources),
            *((item.uri_template, item.description) for item in components.templates),
            *((f"prompt {item.name}", item.description) for item in components.prompts),
        ]
        if others:
            lines += ["", "| Resource or prompt | What it is |", "|---|---|"]
            lines += [f"| `{name}` | {_sentence(about)} |" for name, about in others]
        if len(lines) > 1:
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _sentence(text: str | None) -> str:
    return (text or "").strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
