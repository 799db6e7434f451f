"""MCP clients, and what each has to be told about a server: one table for all who show it.

The front page, the greeting of ``serve`` and ``demo``, ``init``, the README and ``docs/clients.md``
are made from here. What stands in ``place`` is in the client's own English, as are its buttons.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

CHECKED = "2026-11-21"
"""When the table was last compared with the documentation of each client."""

YOUR_KEY = "YOUR_API_KEY"
KEY_FILE = "~/.redmine-api-key"
"""In commands, which a shell remembers, stands no key but the file that holds it."""
_LINES = re.compile(r",\n\s+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Way(StrEnum):
    """How a client and a server speak with each other."""

    HTTP = "http"
    """The client itself speaks HTTP, and signs in with OAuth."""
    CONNECT = "connect"
    """``redmine-mcp connect`` does that for it."""
    STDIO = "stdio"
    """``redmine-mcp stdio`` is a server of the person's own, with their API key."""


class Kind(StrEnum):
    """What is done with a snippet."""

    TERMINAL = "terminal"
    FILE = "file"
    MENU = "menu"
    VALUE = "value"
    COMMAND = "command"


_WHERE = {
    Kind.TERMINAL: "in a terminal",
    Kind.FILE: "in {place}",
    Kind.MENU: "under {place}",
    Kind.VALUE: "where it asks for an address",
    Kind.COMMAND: "where it asks for a command",
}


@dataclass(frozen=True, slots=True)
class Server:
    """What a snippet is about."""

    url: str
    """Where it speaks MCP: ``https://mcp.example.com/mcp``."""
    name: str = "redmine"
    """What the client calls it."""
    redmine_url: str = "https://redmine.example.com"
    command: tuple[str, ...] = ("redmine-mcp",)
    """How this computer starts us."""

    @property
    def is_local(self) -> bool:
        """Whether only this computer reaches it."""
        return urlsplit(self.url).hostname in _LOOPBACK

    def run(self, way: Way) -> list[str]:
        """The command that speaks MCP over standard input and output."""
        return [*self.command, *([way, self.url] if way is Way.CONNECT else [way])]

    def environment(
        self, way: Way, *, key: str = YOUR_KEY, key_file: str | None = None
    ) -> dict[str, str]:
        """What that command has to be told besides."""
        if way is Way.CONNECT:
            return {}
        secret = {"REDMINE_API_KEY_FILE": key_file} if key_file else {"REDMINE_API_KEY": key}
        return {"REDMINE_URL": self.redmine_url, **secret}


Snippet = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to tell a client."""

    way: Way
    kind: Kind
    make: Callable[[Server], Snippet]
    place: str = ""
    """The file, or the way through the menus."""
    from_internet: bool = False
    """Whether the client's maker calls the server, and not this computer."""

    def text(self, server: Server, *, one_line: bool = False) -> str:
        """What to type, to paste or to enter."""
        snippet = self.make(server)
        if isinstance(snippet, str):
            return snippet
        return json.dumps(snippet, ensure_ascii=False) if one_line else _readable(snippet)

    @property
    def where(self) -> str:
        """What is done with it, in English."""
        return _WHERE[self.kind].format(place=self.place)

    def works_for(self, server: Server) -> bool:
        return not (self.from_internet and server.is_local)


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and the ways to tell it, the best first."""

    name: str
    documentation: str
    recipes: tuple[Recipe, ...]
    install: Callable[[Server], str] | None = None
    """A link that has the client add the server, once the person agrees."""


def _readable(snippet: Mapping[str, Any]) -> str:
    """JSON with its lists of words on one line."""
    text = json.dumps(snippet, indent=2, ensure_ascii=False)
    return re.sub(r"\[\s+([^][{}]+?)\s+\]", lambda words: f"[{_LINES.sub(', ', words[1])}]", text)


def _url(server: Server) -> str:
    return server.url


def _started(way: Way, *, key: str = YOUR_KEY) -> Callable[[Server], dict[str, Any]]:
    """The entry of a client that starts a command, as most of them want it."""

    def entry(server: Server) -> dict[str, Any]:
        command, *arguments = server.run(way)
        env = server.environment(way, key=key)
        return {"command": command, "args": arguments, **({"env": env} if env else {})}

    return entry


def _under(key: str, entry: Callable[[Server], Snippet]) -> Callable[[Server], dict[str, Any]]:
    return lambda server: {key: {server.name: entry(server)}}


def _claude_code(server: Server) -> str:
    return shlex.join(["claude", "mcp", "add", "--transport", "http", server.name, server.url])


def _claude_code_stdio(server: Server) -> str:
    env = server.environment(Way.STDIO, key_file=KEY_FILE)
    # An option has to stand between --env and the name, which it would take for a variable.
    options = [*_each("--env", env), "--transport", "stdio", server.name, "--"]
    return shlex.join(["claude", "mcp", "add", *options, *server.run(Way.STDIO)])


def _each(option: str, env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        yield from (option, f"{name}={value}")


def _vscode_entry(server: Server) -> dict[str, str]:
    return {"name": server.name, "type": "http", "url": server.url}


def _vscode_command(server: Server) -> str:
    return f"code --add-mcp {shlex.quote(json.dumps(_vscode_entry(server)))}"


def _vscode_stdio(server: Server) -> dict[str, Any]:
    """VS Code asks for the key once and keeps it, so that no file holds it."""
    asked = {
        "type": "promptString",
        "id": "redmine-api-key",
        "description": "Redmine API key",
        "password": True,
    }
    entry = {"type": "stdio", **_started(Way.STDIO, key="${input:redmine-api-key}")(server)}
    return {"inputs": [asked], "servers": {server.name: entry}}


def _goose(way: Way) -> Callable[[Server], str]:
    def extension(server: Server) -> str:
        head = f"extensions:\n  {server.name}:\n    enabled: true\n    name: {server.name}\n"
        if way is Way.HTTP:
            return f"{head}    type: streamable_http\n    uri: {json.dumps(server.url)}\n"
        command, *arguments = server.run(way)
        lines = f"{head}    type: stdio\n    cmd: {json.dumps(command)}\n"
        lines += f"    args: {json.dumps(arguments)}\n"
        if way is Way.STDIO:
            # Goose asks for what env_keys names, and keeps it in the keyring.
            lines += f"    envs: {json.dumps({'REDMINE_URL': server.redmine_url})}\n"
            lines += "    env_keys: [REDMINE_API_KEY]\n"
        return lines

    return lambda server: extension(server).rstrip("\n")


def _any_command(way: Way) -> Callable[[Server], str]:
    def command(server: Server) -> str:
        env = server.environment(way, key_file=KEY_FILE)
        variables = (f"{name}={shlex.quote(value)}" for name, value in env.items())
        return " ".join([*variables, shlex.join(server.run(way))])

    return command


def vscode_link(server: Server) -> str:
    """The whole query is the entry, with its name in it."""
    return f"vscode:mcp/install?{quote(json.dumps(_vscode_entry(server)), safe='')}"


def cursor_link(server: Server) -> str:
    """The entry in base64, whose ``+``, ``/`` and ``=`` mean something else in a query."""
    entry = base64.b64encode(json.dumps({"url": server.url}).encode()).decode()
    query = f"name={quote(server.name, safe='')}&config={quote(entry, safe='')}"
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{query}"


_CLAUDE_MENU = "Customize → Connectors → + → Add custom connector"
_CHATGPT_MENU = "Settings → Apps → Create app, with Developer mode on in Advanced settings"

CLIENTS = (
    Client(
        "Claude Code",
        "https://code.claude.com/docs/en/mcp",
        (
            Recipe(Way.HTTP, Kind.TERMINAL, _claude_code),
            Recipe(Way.STDIO, Kind.TERMINAL, _claude_code_stdio),
        ),
    ),
    Client(
        "Claude Desktop",
        "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        (
            Recipe(Way.HTTP, Kind.MENU, _url, _CLAUDE_MENU, from_internet=True),
            *(
                Recipe(
                    way,
                    Kind.FILE,
                    _under("mcpServers", _started(way)),
                    "claude_desktop_config.json",
                )
                for way in (Way.CONNECT, Way.STDIO)
            ),
        ),
    ),
    Client(
        "claude.ai",
        "https://support.claude.com/en/articles/11175166",
        (Recipe(Way.HTTP, Kind.MENU, _url, _CLAUDE_MENU, from_internet=True),),
    ),
    Client(
        "ChatGPT",
        "https://developers.openai.com/api/docs/guides/developer-mode",
        (Recipe(Way.HTTP, Kind.MENU, _url, _CHATGPT_MENU, from_internet=True),),
    ),
    Client(
        "VS Code",
        "https://code.visualstudio.com/docs/copilot/customization/mcp-servers",
        (
            Recipe(Way.HTTP, Kind.TERMINAL, _vscode_command),
            Recipe(Way.STDIO, Kind.FILE, _vscode_stdio, ".vscode/mcp.json"),
        ),
        vscode_link,
    ),
    Client(
        "Cursor",
        "https://cursor.com/docs/mcp",
        (
            Recipe(
                Way.HTTP,
                Kind.FILE,
                _under("mcpServers", lambda server: {"url": server.url}),
                "~/.cursor/mcp.json",
            ),
            Recipe(
                Way.STDIO,
                Kind.FILE,
                _under("mcpServers", _started(Way.STDIO)),
                "~/.cursor/mcp.json",
            ),
        ),
        cursor_link,
    ),
    Client(
        "Zed",
        "https://zed.dev/docs/ai/mcp",
        (
            Recipe(
                Way.HTTP,
                Kind.FILE,
                _under("context_servers", lambda server: {"url": server.url}),
                "~/.config/zed/settings.json",
            ),
            Recipe(
                Way.STDIO,
                Kind.FILE,
                _under("context_servers", _started(Way.STDIO)),
                "~/.config/zed/settings.json",
            ),
        ),
    ),
    Client(
        "Goose",
        "https://goose-docs.ai/docs/guides/config-files",
        (
            Recipe(Way.HTTP, Kind.FILE, _goose(Way.HTTP), "~/.config/goose/config.yaml"),
            Recipe(Way.STDIO, Kind.FILE, _goose(Way.STDIO), "~/.config/goose/config.yaml"),
        ),
    ),
)
"""Every client that we know by name."""

ANY = Client(
    "",
    "https://modelcontextprotocol.io",
    (
        Recipe(Way.HTTP, Kind.VALUE, _url),
        *(Recipe(way, Kind.COMMAND, _any_command(way)) for way in (Way.CONNECT, Way.STDIO)),
    ),
)
"""Any other: the address, or a command for one that speaks only stdio."""


def quickest(server: Server) -> Iterator[tuple[Client, Recipe]]:
    """The best way that each client has with this server, for those that have one."""
    for client in CLIENTS:
        if recipe := next((one for one in client.recipes if one.works_for(server)), None):
            yield client, recipe
