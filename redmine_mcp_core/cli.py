"""``redmine-mcp``: the commands there are. Each is imported when it is called, not before.

Exit codes: 0 done, 1 something the command checks or asks for is not right, 2 settings or arguments
that cannot work, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches

from cyclopts import App, CycloptsError, UnknownCommandError

GROUPS = {
    "Begin": {
        "init": ("init:init", "Set up a server for your Redmine, step by step."),
        "doctor": ("doctor:doctor", "Check a set-up: what is right, what is wrong, what to do."),
        "demo": ("serve:demo", "Serve a small Redmine that lives in memory, to try things out."),
    },
    "Serve": {
        "serve": (
            "serve:serve",
            "Serve the Redmine that the environment, or a .env file here, names.",
        ),
        "stdio": ("stdio:stdio", "Serve one person over standard input and output, by API key."),
        "connect": (
            "connect:connect",
            "Bridge a client that speaks only stdio to a server on HTTP.",
        ),
    },
    "Look": {
        "tools": ("tools:tools", "Show the tools as a model sees them, and call one."),
        "plugins": ("plugins:plugins", "List the installed plugins, and why any was left out."),
        "settings": ("settings:settings", "List every setting, what it means and its default."),
    },
    "Operate": {
        "sessions": ("sessions:sessions", "List who is signed in, and end sign-ins."),
        "accounts": (
            "accounts:accounts",
            "Let programs call with a Redmine API key of their own.",
        ),
        "store": ("store:store", "Check, move and tidy up the token store."),
        "keys": ("keys:keys", "Change the keys that encrypt the token store and sign tokens."),
    },
}
"""Each command: where it is defined, below ``redmine_mcp_core.commands``, and what it does. The
sentence stands here so that ``--help`` imports none of them."""
_FLAGS = {
    "--install-completion": "Have your shell complete commands and options.",
    "--version": "Show the version.",
    "--help, -h": "Show this, or the help of a command.",
}
_HELP = "Work in your Redmine from any MCP client, as yourself."


def overview() -> str:
    """What ``redmine-mcp --help`` prints."""
    groups = {
        **{
            title: {name: about for name, (_, about) in commands.items()}
            for title, commands in GROUPS.items()
        },
        "Options": _FLAGS,
    }
    names = [name for commands in GROUPS.values() for name in commands]
    lines = ["Usage: redmine-mcp COMMAND", "", _HELP]
    for title, rows in groups.items():
        width = max(map(len, rows if title == "Options" else names))
        lines += ["", title, *(f"  {name:<{width}}  {about}" for name, about in rows.items())]
    return "\n".join([*lines, "", "More about one: redmine-mcp COMMAND --help"])


app = App(
    name="redmine-mcp",
    help=_HELP,
    version_flags=["--version"],
    # The default, Markdown, takes as long to import as all the rest.
    help_format="plaintext",
)
for _commands in GROUPS.values():
    for _name, (_place, _about) in _commands.items():
        app.command(f"redmine_mcp_core.commands.{_place}", name=_name, help=_about)
app.command("redmine_mcp_core.commands.completion:install", name="--install-completion")


def main() -> None:
    """The entry point of the ``redmine-mcp`` command."""
    if set(sys.argv[1:]) <= {"--help", "-h"}:
        # Without cyclopts, whose own help takes longer to import than everything else together.
        print(overview())  # noqa: T201
        sys.exit(0)
    try:
        sys.exit(app(exit_on_error=False, print_error=False))
    except (KeyboardInterrupt, EOFError):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - what is no user's doing is raised anew
        sys.exit(_told(error))


def _told(error: Exception) -> int:
    """Say what a user can put right in a sentence; the exit code. Anything else is raised anew."""
    # Here and not above: --help needs none of what the settings need.
    from redmine_mcp_core.commands.console import err, fail
    from redmine_mcp_core.settings import SettingsError

    if isinstance(error, UnknownCommandError) and not error.command_chain:
        # Its own sentence imports every command, to tell what else there is.
        typed = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        names = [name for commands in GROUPS.values() for name in commands]
        near = get_close_matches(typed, names, 1)
        meant = f" Did you mean {near[0]}?" if near else " See: redmine-mcp --help"
        fail(f"There is no command {typed}.{meant}")
        return 2
    if isinstance(error, CycloptsError):
        fail(str(error).strip())
        chain = " ".join(["redmine-mcp", *(error.command_chain or ())])
        err.print(f"See: {chain} --help", highlight=False)
        return 2
    if isinstance(error, SettingsError):
        for problem in error.problems:
            fail(problem)
        return 2
    if isinstance(error, OSError) and error.filename:
        fail(f"{error.filename}: {error.strerror}.")
        return 2
    raise error


if __name__ == "__main__":
    main()
