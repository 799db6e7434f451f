"""How a command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from getpass import getpass
from typing import Any

from rich.console import Console
from rich.markup import escape

from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.storage import StoreError


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Whoever reads has read enough, as ``head`` does: a server serves on all the same."""
        with suppress(SystemExit):
            super().on_broken_pipe()


out = _Output()
err = Console(stderr=True)


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its exit code. A store that fails is a sentence, and exit code 1."""
    configure_logging(log_format="console", level="error")
    try:
        return asyncio.run(work)
    except StoreError as error:
        return fail(str(error))


def fail(sentence: str) -> int:
    """Say what is wrong; the exit code for it."""
    err.print(f"[bold red]✗[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    return 1


def is_interactive() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, default: str = "") -> str:
    """Have the person type an answer. Questions go to standard error, as all that is no result."""
    shown = f" [{default}]" if default else ""
    with _interruptible():
        err.print(f"{escape(question)}{escape(shown)}: ", end="", highlight=False, soft_wrap=True)
        return input().strip() or default


def ask_secret(question: str) -> str:
    """The same, without an echo."""
    with _interruptible():
        return getpass(f"{question}: ").strip()


def agreed(question: str) -> bool:
    """Whether the person says yes; anything else is a no."""
    return ask(f"{question} [y/N]").lower() in {"y", "yes"}


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question: asyncio would wait for its end before it heard of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
