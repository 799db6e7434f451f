"""``redmine-mcp``: the commands there are. Each is imported when it is called, not before.

Exit codes: 0 done, 1 something the command checks is not right, 2 settings or arguments that cannot
work, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys

from cyclopts import App

_COMMANDS = {
    "serve": ("serve:serve", "Serve the Redmine that the environment, or a .env file here, names."),
    "demo": ("serve:demo", "Serve a small Redmine that lives in memory, to try things out."),
    "plugins": ("plugins:plugins", "List the installed plugins, and why any was left out."),
    "settings": ("settings:settings", "List every setting, what it means and its default."),
    "store": ("store:store", "Check, move and tidy up the token store."),
    "keys": ("keys:keys", "Change the keys that the token store is encrypted with."),
}
"""Each command: where it is defined, below ``redmine_mcp_core.commands``, and what it does. The
sentence stands here so that ``--help`` imports none of them."""

app = App(
    name="redmine-mcp",
    help="Work in your Redmine from any MCP client, as yourself.",
    version_flags=["--version"],
)
for _name, (_place, _help) in _COMMANDS.items():
    app.command(f"redmine_mcp_core.commands.{_place}", name=_name, help=_help)


def main() -> None:
    """The entry point of the ``redmine-mcp`` command."""
    # Here and not above: --help needs none of what the settings need.
    from redmine_mcp_core.commands.console import fail
    from redmine_mcp_core.settings import SettingsError

    try:
        sys.exit(app())
    except SettingsError as error:
        for problem in error.problems:
            fail(problem)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
