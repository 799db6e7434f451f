"""``redmine-mcp``: the commands there are. Each is imported when it is called, not before.

Exit codes: 0 done, 1 something the command checks is not right, 2 settings or arguments that cannot
work, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys

from cyclopts import App

_COMMANDS = {
    "serve": ("serve:serve", "Serve the Redmine that the environment, or a .env file here, names."),
    "connect": ("connect:connect", "Bridge a client that speaks only stdio to a server on HTTP."),
    "stdio": ("stdio:stdio", "Serve one person over standard input and output, by API key."),
    "demo": ("serve:demo", "Serve a small Redmine that lives in memory, to try things out."),
    "plugins": ("plugins:plugins", "List the installed plugins, and why any was left out."),
    "settings": ("settings:settings", "List every setting, what it means and its default."),
    "store": ("store:store", "Check, move and tidy up the token store."),
    "keys": ("keys:keys", "Change the keys that encrypt the token store and sign tokens."),
    "accounts": ("accounts:accounts", "Let programs call with a Redmine API key of their own."),
}
"""Each command: where it is defined, below ``redmine_mcp_core.commands``, and what it does. The
sentence stands here so that ``--help`` imports none of them."""

app = App(
    name="redmine-mcp",
    help="Work in your Redmine from any MCP client, as yourself.",
    version_flags=["--version"],
    # The default, Markdown, takes as long to import as all the rest.
    help_format="plaintext",
)
for _name, (_place, _help) in _COMMANDS.items():
    app.command(f"redmine_mcp_core.commands.{_place}", name=_name, help=_help)


def main() -> None:
    """The entry point of the ``redmine-mcp`` command."""
    try:
        sys.exit(app())
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # Here and not above: --help needs none of what the settings need.
        from redmine_mcp_core.commands.console import fail
        from redmine_mcp_core.settings import SettingsError

        if not isinstance(error, SettingsError):
            raise
        for problem in error.problems:
            fail(problem)
        sys.exit(2)


if __name__ == "__main__":
    main()
