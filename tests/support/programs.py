"""Programs that tests drive: from Debian's packages, or from wheels of the ``deploy`` group."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])


def program(name: str) -> str:
    """Where it is; a test that needs it is skipped, and says so, where it is not."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"{name} is not here: what we ship for it was not tried")
    return found


def at_home_in(folder: Path) -> dict[str, str]:
    """An environment in which a program writes into this folder what it wants to remember."""
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}


@asynccontextmanager
async def running(command: list[str], folder: Path) -> AsyncIterator[None]:
    """Run a proxy while the block runs; what it says is in ``proxy.log`` of the folder."""
    with (folder / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=log, stderr=log, env=at_home_in(folder)
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
