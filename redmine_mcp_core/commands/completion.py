"""``redmine-mcp --install-completion``: the shell completes commands and options."""

from __future__ import annotations

from typing import Literal

from cyclopts.completion.detect import ShellDetectionError, detect_shell

from redmine_mcp_core.commands.console import fail, out


def install(*, shell: Literal["bash", "zsh", "fish", "powershell"] | None = None) -> int:
    """Have the shell complete commands and options.

    Parameters
    ----------
    shell
        Which shell. Without it, the one that this runs in.
    """
    from redmine_mcp_core.cli import app

    try:
        shell = shell or detect_shell()
    except ShellDetectionError:
        fail("Which shell this is cannot be told: name it with --shell.")
        return 2
    path = app.install_completion(shell=shell)
    out.print(f"Written to {path}. It works in the next {shell} that you start.", soft_wrap=True)
    return 0
