"""How the bridge talks with the person at this machine: standard error, a browser, a terminal."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import suppress
from pathlib import Path

from redmine_mcp_core.connect.background import in_background

_TERMINAL = "CON" if sys.platform == "win32" else "/dev/tty"


def shown(text: str) -> str:
    """A text as a terminal may show it: servers have a say in it, and no escape sequence of theirs
    reaches the terminal."""
    return "".join(char for char in text if char.isprintable() or char == "\n")


class Person:
    """Somebody to ask. While the bridge runs, standard input belongs to the client."""

    def __init__(self, *, browser: bool) -> None:
        self.uses_browser = browser

    def tell(self, text: str) -> None:
        """Say something that is meant for this person; it may hold what no log may."""
        with suppress(OSError):
            print(shown(text), file=sys.stderr, flush=True)  # noqa: T201

    async def show(self, address: str) -> None:
        """Open the browser. It does no harm where there is none: the address was told, too."""
        with suppress(webbrowser.Error, OSError):
            await in_background(lambda: webbrowser.open(address))

    def has_terminal(self) -> bool:
        try:
            with Path(_TERMINAL).open(encoding="utf-8"):
                return True
        except OSError:
            return False

    async def read_line(self) -> str:
        """What the person types or pastes."""

        def read() -> str:
            with Path(_TERMINAL).open(encoding="utf-8") as terminal:
                return terminal.readline().strip()

        return await in_background(read)
