"""Several Redmines behind one server: each by its name, with a sign-in and an address of its own.

Each is a whole server with settings of its own, and thinks that it is alone behind a proxy that
strips the first part of the path. They share the process, the port and the file or the Redis of the
token store, and no key: what one of them wrote there, another can neither find nor read. A token is
good for the one it was made for, as its issuer and its audience say.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.clients.front import front
from redmine_mcp_core.edge.readiness import Readiness
from redmine_mcp_core.edge.settings import Words
from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.secret_files import read_secret
from redmine_mcp_core.server import Host, open_host
from redmine_mcp_core.settings import MCP_PATH, Settings, SettingsError, load_settings

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
TAKEN = frozenset(
    "auth authorize connections consent device device-authorization health introspect key mcp "
    "metrics ready register revoke token verify".split()
)
"""First parts of paths that a server has itself."""
OWN = frozenset({"mcp_sign_in", "mcp_tools", "mcp_projects", "mcp_read_only", "jwt_signing_key"})
"""What may differ from Redmine to Redmine besides all that begins with ``REDMINE_``."""
_WELL_KNOWN = "/.well-known/"
_AT_ROOT = ("", "health", "ready", "metrics")


class _Names(BaseSettings):
    """Which Redmines there are, asked before the settings of any."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)
    mcp_redmines: Words = []


def load_each(**overrides: Any) -> dict[str, Settings]:
    """The settings of each Redmine by its name; of the only one, under the empty name.

    Raises ``SettingsError`` with every problem of all of them at once.
    """
    names = _Names().mcp_redmines
    if not names:
        return {"": load_settings(**overrides)}
    if wrong := [name for name in names if not NAME.fullmatch(name) or name in TAKEN]:
        raise SettingsError(
            [
                f"MCP_REDMINES: {', '.join(wrong)} cannot be part of an address here: take lower-"
                "case letters, digits and dashes, and none of the server's own paths."
            ]
        )
    each: dict[str, Settings] = {}
    environment = _environment()
    problems: list[str] = []
    for name in names:
        try:
            each[name] = _load(name, overrides, environment)
        except SettingsError as error:
            problems += [_named(problem, name, environment) for problem in error.problems]
    if problems:
        # What they have in common is wrong for each of them, and one problem all the same.
        raise SettingsError(list(dict.fromkeys(problems)))
    return each


def setting_of(field: str, name: str) -> str:
    """The environment variable of a field for one Redmine: ``REDMINE_INTERN_URL``."""
    first, _, rest = field.upper().partition("_")
    return f"{first}_{name.upper().replace('-', '_')}_{rest}"


def _environment() -> Mapping[str, str | None]:
    return {**dotenv_values(".env"), **os.environ}


def _load(
    name: str, overrides: Mapping[str, Any], environment: Mapping[str, str | None]
) -> Settings:
    own: dict[str, Any] = dict(overrides)
    for field in Settings.model_fields:
        variable = setting_of(field, name)
        if not _may_differ(field):
            continue
        if path := environment.get(f"{variable}_FILE"):
            own[field] = read_secret(f"{variable}_FILE", path)
        elif value := environment.get(variable):
            own[field] = value
    settings = load_settings(**own)
    # Their keys are derived from the one that all have in common, and from the name.
    key = hmac.digest(settings.root_secret.encode(), name.encode(), hashlib.sha256).hex()
    public = f"{settings.public_url}/{name}"
    return load_settings(**{**own, "jwt_signing_key": key, "mcp_public_url": public})


def _named(problem: str, name: str, environment: Mapping[str, str | None]) -> str:
    """The problem by the variable that is to be changed: its own where that is set, or where a
    Redmine needs one and nothing is; else the one in common."""
    variable, _, rest = problem.partition(" ")
    field = variable.lower()
    if field not in Settings.model_fields or not _may_differ(field):
        return problem
    own = setting_of(field, name)
    needed = field.startswith("redmine_") and not _is_set(variable, environment)
    return f"{own} {rest}" if needed or _is_set(own, environment) else problem


def _may_differ(field: str) -> bool:
    return field.startswith("redmine_") or field in OWN


def _is_set(variable: str, environment: Mapping[str, str | None]) -> bool:
    return bool(environment.get(variable) or environment.get(f"{variable}_FILE"))


def in_common(each: Mapping[str, Settings]) -> Settings:
    """The settings of the process: where it listens, how it logs, how it ends."""
    return next(iter(each.values()))


@dataclass(frozen=True, slots=True)
class Served:
    """What a process serves, and what is told when it is to stop."""

    app: ASGIApp
    readiness: Readiness


@asynccontextmanager
async def open_each(
    each: Mapping[str, Settings], metrics: Metrics, plugins: Plugins | None = None
) -> AsyncIterator[Served]:
    """Open the server of each Redmine. Raises ``SettingsError``, as ``open_host`` does."""
    async with AsyncExitStack() as stack:
        hosts: dict[str, Host] = {}
        for name, settings in each.items():
            theirs = plugins or discover_plugins(metrics, again=bool(hosts))
            hosts[name] = await stack.enter_async_context(
                open_host(settings, theirs, metrics, name=name)
            )
        readiness = Readiness(partial(_check, hosts))
        page = front(each)
        apps = {name: create_app(host, readiness, page) for name, host in hosts.items()}
        yield Served(apps[""] if "" in apps else ByName(apps), readiness)


async def _check(hosts: Mapping[str, Host]) -> list[HealthReport]:
    reports = await asyncio.gather(*(host.plugins.check_health() for host in hosts.values()))
    return [
        replace(report, name=f"{name}: {report.name}" if name else report.name)
        for name, found in zip(hosts, reports, strict=True)
        for report in found
    ]


class ByName:
    """Hands each request to the server of the Redmine whose name its path begins with."""

    def __init__(self, apps: Mapping[str, Starlette]) -> None:
        self._apps = apps
        self._nothing: ASGIApp = PlainTextResponse("Nothing is here.", 404)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        app, path = self._for(scope["path"])
        if path != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    def _for(self, path: str) -> tuple[ASGIApp, str]:
        if path.startswith(_WELL_KNOWN):
            return self._for_metadata(path)
        first, _, rest = path[1:].partition("/")
        if first in self._apps:
            return self._apps[first], f"/{rest}"
        if path[1:] in _AT_ROOT:
            return next(iter(self._apps.values())), path
        if path.rstrip("/") == MCP_PATH:
            # There is no default among several: the front page says which ones there are.
            return next(iter(self._apps.values())), "/"
        return self._nothing, path

    def _for_metadata(self, path: str) -> tuple[ASGIApp, str]:
        """Metadata stands at the root, with the rest of the address behind it (RFC 8414, section
        3.1; RFC 9728, section 3.1). FastMCP expects the part of the resource, and not that of the
        issuer."""
        document, _, behind = path.removeprefix(_WELL_KNOWN).partition("/")
        name = behind.partition("/")[0]
        if name not in self._apps:
            return self._nothing, path
        at_root = f"{_WELL_KNOWN}{document}"
        return self._apps[name], path if document == "oauth-protected-resource" else at_root

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with AsyncExitStack() as stack:
                for app in self._apps.values():
                    await stack.enter_async_context(app.router.lifespan_context(app))
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            raise
        await send({"type": "lifespan.shutdown.complete"})
