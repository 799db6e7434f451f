"""``redmine-mcp connect``: any MCP server on HTTP, for a client that speaks only stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

connect = App(
    name="connect",
    help="Bridge a client that speaks only stdio to an MCP server on HTTP, signed in with OAuth.",
)


@Parameter(name="*")
@dataclass(frozen=True)
class _Flags:
    header: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    'Send this header, "Name: value", to the MCP server; ${NAME} stands for a variable.'
    allow_tool: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    "Let only tools through whose name fits, such as 'get_*'."
    ignore_tool: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    "Let no tools through whose name fits."
    scope: str | None = None
    "Ask for these scopes, instead of those that the server names."
    resource: str | None = None
    "Ask for a token for this resource (RFC 8707), instead of the one that the server names."
    client_id: str | None = None
    "Be this client, which was registered beforehand."
    client_secret_file: Path | None = None
    "The file with that client's secret; or set MCP_CONNECT_CLIENT_SECRET."
    client_metadata_url: str | None = None
    "Be the client that this document describes, where the server reads such documents."
    callback_port: int | None = None
    "Have the browser come back to this port; where it is taken, to any."
    token_file: Path | None = None
    "Send the token in this file, and never sign in; or set MCP_CONNECT_TOKEN."
    browser: bool = True
    "Open the browser; --no-browser tells the address, and takes what it ended at."
    device: Annotated[bool, Parameter(negative="")] = False
    "Sign in with a code, on any device."
    ca_bundle: Path | None = None
    "Trust the certificates in this file or folder, too."
    allow_http: Annotated[bool, Parameter(negative="")] = False
    "Connect without encryption to other machines, too."
    store: Literal["auto", "keyring", "file"] = "auto"
    "Where the sign-in is kept: the keyring of this machine, else an encrypted file."
    sign_in_timeout: float = 300
    "Seconds that a person has to sign in."
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    "What to write to standard error."


_NO_FLAGS = _Flags()


@connect.default
def bridge(url: str, /, *, flags: _Flags = _NO_FLAGS) -> None:
    """Bridge standard input and output to the MCP server at an address.

    Parameters
    ----------
    url
        The server's address, such as https://host/mcp.
    """
    from redmine_mcp_core.commands.waiting import say_that_it_waits
    from redmine_mcp_core.connect import run_bridge

    say_that_it_waits(f"To sign in beforehand: redmine-mcp connect login {url}")
    _run(url, flags, run_bridge)


@connect.command
def login(url: str, /, *, flags: _Flags = _NO_FLAGS) -> None:
    """Sign in to an MCP server now; bridges that are started later find the sign-in.

    Parameters
    ----------
    url
        The server's address.
    """
    from redmine_mcp_core.connect import Options, sign_in_first

    async def work(options: Options) -> int:
        await sign_in_first(options)
        _say(f"Signed in to {options.url}.")
        return 0

    _run(url, flags, work)


@connect.command
def logout(url: str, /, *, flags: _Flags = _NO_FLAGS) -> None:
    """Sign out of an MCP server: revoke the sign-in there and forget it here.

    Parameters
    ----------
    url
        The server's address.
    """
    from redmine_mcp_core.connect import Options, sign_out

    async def work(options: Options) -> int:
        _say(await sign_out(options))
        return 0

    _run(url, flags, work)


@connect.command
def doctor(url: str, /, *, flags: _Flags = _NO_FLAGS) -> None:
    """Check from the outside in what it takes to reach an MCP server and sign in there.

    Parameters
    ----------
    url
        The server's address.
    """
    from redmine_mcp_core.connect import Options
    from redmine_mcp_core.connect.doctor import examine

    async def work(options: Options) -> int:
        wrong = 0
        async for finding in examine(options):
            mark = "✓" if finding.is_right else "✗"
            _say(f"{mark} {finding.what}" + (f"\n  → {finding.advice}" if finding.advice else ""))
            wrong += not finding.is_right
        return 1 if wrong else 0

    _run(url, flags, work)


def _run(url: str, flags: _Flags, work: Callable[[Any], Coroutine[Any, Any, int]]) -> None:
    from redmine_mcp_core.connect import ConnectError, read_options
    from redmine_mcp_core.observability.logs import configure_logging, log_crashes

    configure_logging(log_format="console", level=flags.log_level)
    log_crashes()  # a client keeps what the bridge writes in a log of its own
    given = {name: getattr(flags, name) for name in _Flags.__dataclass_fields__}
    del given["log_level"]
    allow, ignore = given.pop("allow_tool"), given.pop("ignore_tool")
    try:
        options = read_options(url, allow_tools=allow, ignore_tools=ignore, **given)
    except ConnectError as error:
        _end(2, str(error))
    try:
        code = asyncio.run(work(options))
    except ConnectError as error:
        _end(1, str(error))
    except KeyboardInterrupt:
        _end(130)
    _end(code)


def _say(text: str) -> None:
    from redmine_mcp_core.connect.person import shown

    print(shown(text))  # noqa: T201


def _end(code: int, problem: str = "") -> None:
    """End at once: a thread that waits for a keyring or a terminal must not hold us up."""
    if problem:
        from redmine_mcp_core.connect.person import shown

        print(shown(f"✗ {problem}"), file=sys.stderr)  # noqa: T201
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
