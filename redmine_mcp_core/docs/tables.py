"""The parts of the documentation that are made from the code (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from redmine_mcp_core.edge.limits import LIMITS, PATHS, Area
from redmine_mcp_core.edge.settings import EdgeSettings
from redmine_mcp_core.events import EventKind
from redmine_mcp_core.observability import audit
from redmine_mcp_core.observability.log_events import LOG_EVENTS
from redmine_mcp_core.observability.metric_table import METRICS
from redmine_mcp_core.plugins import PluginReport
from redmine_mcp_core.secret_files import is_secret
from redmine_mcp_core.settings import Settings

_FIRST = frozenset({"REDMINE_URL", "REDMINE_CLIENT_ID", "REDMINE_CLIENT_SECRET"})
"""What most people have to fill in."""
_USUAL = _FIRST | {"MCP_SIGN_IN", "MCP_HOST", "MCP_PORT", "MCP_PUBLIC_URL", "TOKEN_STORE_URL"}
_MADE_AT_START = {"token_store_url": "SQLite, in your data directory"}

GROUPS: dict[str, list[str]] = {
    title: names.split()
    for title, names in {
        "Redmine": "REDMINE_URL REDMINE_CLIENT_ID REDMINE_CLIENT_SECRET REDMINE_SCOPES "
        "REDMINE_TIMEOUT REDMINE_MAX_CONNECTIONS REDMINE_MAX_PER_USER MCP_REDMINES",
        "Signing in": "MCP_SIGN_IN MCP_SESSION_IDLE_DAYS MCP_SESSION_DAYS MCP_SESSIONS_PER_USER "
        "MCP_REGISTRATION MCP_ALLOWED_REDIRECT_URIS",
        "Secrets, keys and the token store": "TOKEN_STORE_URL JWT_SIGNING_KEY MCP_ENCRYPTION_KEYS "
        "MCP_SIGNING_ALGORITHM",
        "Plugins and tools": "MCP_TOOLS MCP_PROJECTS MCP_READ_ONLY MCP_REQUIRED_PLUGINS",
        "One person, over stdio": "REDMINE_API_KEY MCP_FILES_FOLDER",
        "Listening": "MCP_HOST MCP_PORT MCP_PUBLIC_URL MCP_WORKERS MCP_TLS_CERT MCP_TLS_KEY "
        "MCP_DRAIN_SECONDS MCP_GRACE_SECONDS",
        "Who may call": "MCP_ALLOWED_HOSTS MCP_ALLOWED_ORIGINS MCP_TRUSTED_PROXIES "
        "MCP_FORWARDED_HEADER MCP_OPERATOR_NETWORKS",
        "Limits": "MCP_MAX_REQUESTS MCP_REQUEST_SECONDS MCP_LIMIT_USER MCP_LIMIT_CLIENT "
        "MCP_LIMIT_ADDRESS MCP_LIMIT_REGISTRATION MCP_LIMIT_TOKENS MCP_LIMIT_PAGES",
        "Logs, metrics and traces": "MCP_LOG_FORMAT MCP_LOG_LEVEL MCP_ACCESS_LOG MCP_AUDIT_FILE "
        "MCP_METRICS_PORT MCP_METRICS_HOST MCP_TRACE_USERS",
    }.items()
}
"""The settings by what they are about: the tables of ``docs/settings.md``."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    name: str
    default: str
    description: str
    required: bool


def setting_rows() -> Iterator[SettingRow]:
    """Every setting in the order of ``Settings``, those of the edge at the end."""
    edge = EdgeSettings.model_fields
    for name, field in sorted(Settings.model_fields.items(), key=lambda item: item[0] in edge):
        description = field.description or ""
        if is_secret(field):
            description += f" Or `{name.upper()}_FILE`: a file that holds it."
        yield SettingRow(
            name=name.upper(),
            default=_MADE_AT_START.get(name, _default(field.default)),
            description=description,
            required=field.is_required(),
        )


def _default(value: object) -> str:
    if value and isinstance(value, list):
        return " ".join(value)
    return "" if value is None or value == [] or "Undefined" in repr(value) else str(value)


_FOR_OPERATORS = frozenset(
    {
        "Secrets, keys and the token store",
        "Listening",
        "Who may call",
        "Limits",
        "Logs, metrics and traces",
    }
)
"""The groups that concern who runs a server; the others concern what it offers, and to whom."""


def settings_tables() -> str:
    """Every setting, in Markdown: a table for each group, and for those that are in none."""
    grouped = {name for names in GROUPS.values() for name in names}
    rest = [row.name for row in setting_rows() if row.name not in grouped]
    return _grouped_settings({**GROUPS, "Others": rest}, heading="##")


def operator_settings_tables() -> str:
    """The settings for who runs a server, in Markdown, a table for each group."""
    groups = {title: names for title, names in GROUPS.items() if title in _FOR_OPERATORS}
    return _grouped_settings(groups, heading="###")


def _grouped_settings(groups: Mapping[str, Sequence[str]], *, heading: str) -> str:
    rows = {row.name: row for row in setting_rows()}
    return "\n\n".join(
        f"{heading} {title}\n\n{_settings_table(rows[name] for name in names)}"
        for title, names in groups.items()
        if names
    )


def first_settings_table() -> str:
    """The settings that almost everybody needs, in Markdown, for the README."""
    return _settings_table(row for row in setting_rows() if row.name in _USUAL)


def _settings_table(rows: Iterable[SettingRow]) -> str:
    lines = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for row in rows:
        default = "**required**" if row.required else f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {default} | {row.description} |")
    return "\n".join(lines)


def limits_table() -> str:
    """The table of limits, in Markdown."""
    lines = ["| Requests to | counted by | a minute | Setting |", "|---|---|---|---|"]
    for limit in LIMITS:
        paths = [f"`/{path}`" for path, area in PATHS.items() if area is limit.area]
        free = [f"`/{path}`" for path, area in PATHS.items() if area is None]
        where = ", ".join(paths)
        if limit.area is Area.OTHER:
            where = f"anything else, except {', '.join(free)}"
        default = Settings.model_fields[limit.setting].default
        lines.append(f"| {where} | {limit.per} | {default:,} | `{limit.setting.upper()}` |")
    return "\n".join(lines)


def env_example() -> str:
    """``.env.example``: every setting with its meaning, the optional ones commented out."""
    blocks = [
        "# Settings of redmine-mcp. Copy this file to .env and fill in the first three.\n"
        "# It is made from redmine_mcp_core/settings.py by `make docs`."
    ]
    for row in setting_rows():
        mark = "" if row.name in _FIRST else "# "
        value = "" if row.name == "TOKEN_STORE_URL" else row.default
        blocks.append(f"# {row.description.replace('`', '')}\n{mark}{row.name}={value}")
    return "\n\n".join(blocks) + "\n"


def metrics_table() -> str:
    """The table of metrics, in Markdown."""
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.exposed}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines)


def events_table() -> str:
    """What ``on_event`` hooks are told, in Markdown."""
    rows = [f"| `{kind}` | {kind.meaning} |" for kind in EventKind]
    return "\n".join(["| Event | Meaning |", "|---|---|", *rows])


def log_events_table() -> str:
    """The lines that our own log may hold, in Markdown."""
    lines = ["| Event | Fields | Meaning |", "|---|---|---|"]
    for name, event in LOG_EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        lines.append(f"| `{name}` | {fields} | {event.meaning} |")
    return "\n".join(lines)


def audit_table() -> str:
    """The fields of a line of the audit trail, in Markdown."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in audit.FIELDS.items()]
    return "\n".join(["| Field | Meaning |", "|---|---|", *rows])


def tools_page(plugins: Iterable[PluginReport]) -> str:
    """``docs/tools.md``: every tool, resource and prompt of these plugins."""
    blocks = [
        "# Tools, resources and prompts\n\n"
        "Made from the code by `make docs`. A tool that is not listed costs a model nothing until "
        "it is looked for with `find_tools`; `call_tool` then calls it. Without its scopes a tool "
        "is neither listed nor called. One of your *own computer* is there where the server runs "
        "on it and `MCP_FILES_FOLDER` names a folder. How often each asks Redmine is in "
        "[calls.md](calls.md)."
    ]
    for report in plugins:
        components = report.components
        lines = [f"## {report.name}"]
        if components.tools:
            lines += ["", "| Tool | What it does | | Listed | Scopes |", "|---|---|---|---|---|"]
        for tool in components.tools:
            declared = tool.declaration
            listed = "yes" if declared.listed else "own computer" if declared.local else ""
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
