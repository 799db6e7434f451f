"""``redmine-mcp init``: from the address of a Redmine to a server that can be started.

Everything it asks is also a flag. A secret is typed without an echo or read from a file; it is
never an argument, which other users of the machine could see.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from cyclopts import Parameter
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from redmine_mcp_core.checks import Finding, State, application, env_file, fail, person
from redmine_mcp_core.checks.form import TICKED, boxes
from redmine_mcp_core.checks.redmine import Look, look_at
from redmine_mcp_core.clients.front import server_of
from redmine_mcp_core.clients.greeting import configuration, own_command, typed_command
from redmine_mcp_core.clients.table import CLIENTS, KEY_FILE, YOUR_KEY, Server
from redmine_mcp_core.clients.table import Way as Stdio
from redmine_mcp_core.commands.console import agreed, ask, ask_secret, is_interactive, out
from redmine_mcp_core.commands.console import fail as say_wrong
from redmine_mcp_core.commands.doctor import show, try_sign_in, wanted_scopes
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.settings import Settings, SettingsError, load_settings

Way = Literal["oauth", "key-login", "stdio"]
_WAYS: dict[str, str] = {
    "oauth": "a server for several people, who sign in at Redmine",
    "key-login": "a server for several people, who sign in with their API key",
    "stdio": "only for me, on this computer, with my API key",
}
NAME = "Redmine MCP"
_FLAGS = {
    "redmine_url": "--redmine-url",
    "way": "--sign-in",
    "public_url": "--public-url",
    "client_id": "--client-id",
    "client_secret": "--client-secret-file",
    "api_key": "--api-key-file",
}


class Stop(Exception):
    """It cannot go on. The message is a sentence, empty where all is said."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        self.code = code
        super().__init__(message)


@dataclass
class Person:
    """Who answers: somebody at the terminal, or nobody but the flags."""

    asks: bool

    def give(self, name: str, given: str | None, question: str, default: str = "") -> str:
        """An answer. Raises ``Stop`` where nobody can be asked and nothing stands for it."""
        if given:
            return given
        if not self.asks:
            if default:
                return default
            raise Stop(f"{_FLAGS[name]} is missing, and nobody can be asked.", 2)
        return ask(question, default) or self.give(name, given, question, default)

    def give_secret(self, name: str, path: Path | None, question: str) -> str:
        if path is not None:
            try:
                return path.expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Stop(f"{path} cannot be read ({type(error).__name__}).", 2) from error
        if not self.asks:
            raise Stop(f"{_FLAGS[name]} is missing, and nobody can be asked.", 2)
        return ask_secret(question)


def init(
    *,
    redmine_url: str | None = None,
    sign_in: Way | None = None,
    public_url: str | None = None,
    client_id: str | None = None,
    client_secret_file: Path | None = None,
    api_key_file: Path | None = None,
    read_only: Annotated[bool, Parameter(negative="")] = False,
    env: Path = Path(".env"),
    yes: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Look at your Redmine, say what to set there, and write the settings of a server for it.

    It asks for what no flag says; with --yes, or without a terminal, it asks nothing.

    Parameters
    ----------
    redmine_url
        Where your Redmine is: https://redmine.example.com.
    sign_in
        oauth or key-login for a server, stdio for yourself alone on this computer.
    public_url
        Where clients will reach the server: https://mcp.example.com.
    client_id
        Client ID of the application in Redmine.
    client_secret_file
        A file that holds its secret.
    api_key_file
        A file that holds your API key, for stdio.
    read_only
        Offer no tool that changes anything.
    env
        The file to write. What else it holds stays.
    yes
        Ask nothing, and change settings that the file has already.
    """
    configure_logging(log_format="console", level="error")
    person_ = Person(asks=is_interactive() and not yes)
    given = {
        "redmine_url": redmine_url,
        "sign_in": sign_in,
        "public_url": public_url,
        "client_id": client_id,
        "client_secret_file": client_secret_file,
        "api_key_file": api_key_file,
    }
    try:
        return asyncio.run(_Init(person_, given, read_only, env, overwrite=yes).run())
    except Stop as stop:
        if str(stop):
            say_wrong(str(stop))
        return stop.code
    except SettingsError as error:
        for problem in error.problems:
            say_wrong(problem)
        return 2


class _Init:
    def __init__(
        self,
        someone: Person,
        given: Mapping[str, Any],
        read_only: bool,
        env: Path,
        *,
        overwrite: bool,
    ) -> None:
        self._person = someone
        self._given = given
        self._read_only = read_only
        self._env = env
        self._overwrite = overwrite
        self._plugins: Plugins = discover_plugins(Metrics())
        self._held = _read(env)

    async def run(self) -> int:
        look = await self._redmine()
        way = self._way(look)
        values = {"REDMINE_URL": look.url}
        if self._read_only:
            values["MCP_READ_ONLY"] = "true"
        if way == "stdio":
            values["REDMINE_API_KEY"] = await self._api_key(look.url)
            self._write(values)
            self._title("Your client")
            for line in _stdio_clients(look.url):
                out.print(line, highlight=False, soft_wrap=True)
            return 0
        values |= {
            **_where_to_listen(self._public_url()),
            "MCP_SIGN_IN": way,
            "JWT_SIGNING_KEY": self._held.get("JWT_SIGNING_KEY") or secrets.token_hex(32),
        }
        settings = await self._application(values) if way == "oauth" else _settings(values)
        if settings.redmine_client_id:
            values["REDMINE_CLIENT_ID"] = settings.redmine_client_id
        if settings.redmine_client_secret:
            values["REDMINE_CLIENT_SECRET"] = settings.redmine_client_secret.get_secret_value()
        self._write(values)
        self._title("Your clients, once the server runs")
        for line in configuration(server_of("", settings)):
            out.print(line, highlight=False, soft_wrap=True)
        us = escape(typed_command())
        out.print(f"\nNext: [bold]{us} serve[/]; and [bold]{us} doctor[/] to check.")
        return 0

    async def _redmine(self) -> Look:
        """The Redmine, found and looked at."""
        url = self._person.give(
            "redmine_url",
            self._given["redmine_url"],
            "Where is your Redmine",
            self._held.get("REDMINE_URL", ""),
        ).rstrip("/")
        self._title("Redmine")
        while True:
            if "://" not in url:
                url = f"https://{url}"
            look = Look(_checked("redmine_url", url))
            async for finding in look_at(look):
                show(finding)
            if look.answers and look.rest:
                return look
            if not self._person.asks:
                raise Stop
            if look.answers:
                ask("Switch it on, then press Enter")
            elif look.moved_to:
                url = ask("Where is your Redmine", look.moved_to)
            else:
                url = ask("Where is your Redmine", url)

    def _way(self, look: Look) -> str:
        chosen = self._given["sign_in"]
        offered = [way for way in _WAYS if way != "oauth" or look.oauth]
        if chosen is None and self._person.asks:
            self._title("Who is it for?")
            for number, way in enumerate(offered, 1):
                out.print(f"  {number}  {_WAYS[way]}", highlight=False)
            numbers = {str(number): way for number, way in enumerate(offered, 1)}
            while (answer := ask("Which", "1")) not in numbers:
                say_wrong(f"Answer with a number from 1 to {len(offered)}.")
            chosen = numbers[answer]
        chosen = chosen or offered[0]
        if chosen not in offered:
            raise Stop(
                "This Redmine has no OAuth, which came with 6.1: take --sign-in key-login, or "
                "stdio for one person."
            )
        return str(chosen)

    def _public_url(self) -> str:
        port = self._held.get("MCP_PORT", "8000")
        held = self._held.get("MCP_PUBLIC_URL") or f"http://127.0.0.1:{port}"
        while True:
            url = self._person.give(
                "public_url", self._given["public_url"], "Where will clients reach the server", held
            ).rstrip("/")
            try:
                return _checked("mcp_public_url", url)
            except SettingsError as error:
                if not self._person.asks or self._given["public_url"]:
                    raise
                say_wrong(str(error))

    async def _application(self, values: Mapping[str, str]) -> Settings:
        """The application in Redmine: what to enter there, and whether it is so."""
        draft = _settings({**values, "REDMINE_CLIENT_ID": "not known yet"})
        scopes = wanted_scopes(draft, self._plugins)
        self._title("In Redmine, as an administrator")
        out.print(f"Open {values['REDMINE_URL']}/oauth/applications/new and enter:\n")
        out.print(f"  Name          {NAME}", highlight=False)
        out.print(f"  Redirect URI  [bold]{escape(draft.callback_url)}[/]", highlight=False)
        out.print("  Scopes        tick these, and no others:\n", highlight=False)
        out.print(_to_tick(scopes))
        out.print("\nRedmine then shows the client ID as UID, and once the secret.\n")
        while True:
            client_id = self._person.give(
                "client_id",
                self._given["client_id"],
                "Client ID",
                self._held.get("REDMINE_CLIENT_ID", ""),
            )
            typed = {"REDMINE_CLIENT_ID": client_id, "REDMINE_CLIENT_SECRET": self._secret()}
            try:
                settings = _settings({**values, **typed})
            except SettingsError as error:
                if not self._person.asks or self._given["client_id"]:
                    raise
                say_wrong(str(error))
                continue
            finding = await _tried(settings)
            show(finding)
            if finding.state is State.OK:
                break
            if not self._person.asks or self._given["client_id"]:
                raise Stop
        if self._person.asks and agreed("Sign in once now, to see that Redmine lets it through?"):
            show(await try_sign_in(settings, scopes))
        return settings

    def _secret(self) -> str:
        path, held = self._given["client_secret_file"], self._held.get("REDMINE_CLIENT_SECRET")
        if path is None and held and not self._person.asks:
            return held
        typed = self._person.give_secret("client_secret", path, "Client secret (not shown)")
        return typed or held or ""

    async def _api_key(self, url: str) -> str:
        self._title("Your API key")
        if self._person.asks:
            out.print(f"You find it at {url}/my/account, on the right: Show.", highlight=False)
        while True:
            path, held = self._given["api_key_file"], self._held.get("REDMINE_API_KEY", "")
            if path is None and held and not self._person.asks:
                key = held
            else:
                key = self._person.give_secret("api_key", path, "API key (not shown)") or held
            finding = await person.api_key(url, SecretStr(key))
            show(finding)
            if finding.state is not State.FAIL:
                return key
            if not self._person.asks or path:
                raise Stop

    def _write(self, values: Mapping[str, str]) -> None:
        changed = [name for name, value in values.items() if self._held.get(name, value) != value]
        if changed and not self._overwrite:
            names = ", ".join(changed)
            if not self._person.asks:
                raise Stop(f"{self._env} sets {names} already: say --yes to change that.", 2)
            if not agreed(f"{self._env} sets {names} already. Change that?"):
                raise Stop("Nothing was written.")
        self._title("Settings")
        text = self._env.read_text(encoding="utf-8") if self._env.exists() else ""
        env_file.write(self._env, env_file.merged(text, values))
        out.print(f"[green]✓[/] {escape(str(self._env.resolve()))} is written, for your eyes only")
        shadowed = [name for name, value in values.items() if os.environ.get(name, value) != value]
        if shadowed:
            say_wrong(f"{', '.join(shadowed)} in the environment counts more than that file.")

    def _title(self, text: str) -> None:
        out.print(f"\n[bold]{text}[/]")


def _read(env: Path) -> dict[str, str]:
    try:
        return env_file.read(env)
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{env} cannot be read ({type(error).__name__}).", 2) from error


async def _tried(settings: Settings) -> Finding:
    try:
        return await application.credentials(settings)
    except httpx.HTTPError as error:
        return fail(f"Redmine breaks off ({type(error).__name__})", "Try again.")


def _settings(values: Mapping[str, str]) -> Settings:
    """Settings of these values and nothing else. Raises ``SettingsError``."""
    given: dict[str, Any] = {name.lower(): value for name, value in values.items() if value}
    return load_settings(_env_file=None, **given)


def _checked(field: str, url: str) -> str:
    """An address as the settings take it. Raises ``SettingsError``."""
    values = {
        "redmine_url": "https://redmine.example.com",
        "mcp_sign_in": "header",
        "jwt_signing_key": secrets.token_hex(32),
        field: url,
    }
    return str(getattr(load_settings(_env_file=None, **values), field))


def _where_to_listen(public_url: str) -> dict[str, str]:
    """The settings that make an address ours. One of this computer says the port, and a proxy
    stands before any other."""
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname == "127.0.0.1" and not parts.path:
        return {"MCP_PORT": str(parts.port or 80)}
    return {"MCP_PUBLIC_URL": public_url}


def _to_tick(scopes: Collection[str]) -> Table:
    """The boxes to tick, as Redmine's form has them."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for heading, labels in boxes(set(scopes) - TICKED).items():
        table.add_row(heading, ", ".join(labels.values()))
    return table


def _stdio_clients(redmine_url: str) -> Iterator[str]:
    """What to paste into each client that can start a server by itself, in rich's markup."""
    server = Server("", redmine_url=redmine_url, command=(own_command(),))
    for client in CLIENTS:
        for recipe in client.recipes:
            if recipe.way is Stdio.STDIO:
                yield f"[bold]{client.name}[/]  [dim]{escape(recipe.where)}[/]"
                yield escape(indent(recipe.text(server, one_line=True), "  "))
    yield f"\nWrite your key in place of {YOUR_KEY}, or into {KEY_FILE}, which only you may read."
