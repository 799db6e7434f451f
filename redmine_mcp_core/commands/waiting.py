"""What a person reads who starts by hand what a client was to start."""

from __future__ import annotations

import sys


def say_that_it_waits(advice: str = "") -> None:
    """Tell somebody at a terminal why nothing happens; a client is told nothing."""
    if sys.stdin.isatty():
        waits = "Waiting for an MCP client on standard input: clients start this. Ctrl-C ends it."
        print("\n".join(filter(None, [waits, advice])), file=sys.stderr)  # noqa: T201
