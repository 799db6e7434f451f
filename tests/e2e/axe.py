"""axe-core, from npm at a pinned version: whether people who cannot see or point can use a page.

Without npm nothing is checked, and the test that looked at the page goes on: `make test` says so at
its end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Page

PACKAGE = "axe-core@4.14.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redmine-mcp/axe"

RUN = "async () => await axe.run(document, {resultTypes: ['violations']})"


async def complaints(page: Page) -> list[str]:
    """What axe has against a page, a line each, as the page is at this moment.

    The page's policy stays on: the browser's own tools put scripts past it.
    """
    source = _source()
    if source is None:
        return []
    await page.evaluate(source)
    found: dict[str, Any] = await page.evaluate(RUN)
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@cache
def _source() -> str | None:
    """The script; None where npm is absent. Raises ``AssertionError`` if npm cannot install it."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    script = CACHE / PACKAGE / "node_modules/axe-core/axe.min.js"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            command = [npm, "install", "--prefix", str(CACHE / PACKAGE), PACKAGE]
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund"]
            answer = subprocess.run(
                [*command, *quiet], capture_output=True, text=True, timeout=120, check=False
            )
            assert answer.returncode == 0, answer.stderr[-400:]
    return script.read_text(encoding="utf-8")
