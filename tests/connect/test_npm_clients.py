"""A client on stdio that other people wrote, from npm, through the bridge."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.connect.bridges import COMMAND, Home
from tests.connect.theirs import Theirs
from tests.e2e.npm import Npm, environment, installed

pytestmark = pytest.mark.npm


@pytest.fixture(scope="session")
def npm() -> Npm:
    return installed()


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_inspector_on_stdio(npm: Npm, theirs: Theirs, home: Home, era: str) -> None:
    """The inspector, which knows nothing of our sign-in, calls a tool through the bridge.

    It hands little of its environment on, as many clients do: the person has signed in before.
    """
    await home.run("connect", "login", theirs.url, "--store", "file")
    process = await asyncio.create_subprocess_exec(
        *npm.command("@modelcontextprotocol/inspector"),
        *("--cli", "--format", "json", "--protocol-era", era),
        *("--method", "tools/call", "--tool-name", "add", "--tool-args-json", '{"a": 1, "b": 2}'),
        *("--", str(COMMAND), "connect", theirs.url, "--store", "file"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(home.folder) | home.environment,
    )
    async with asyncio.timeout(60):
        said, problem = await process.communicate()

    assert process.returncode == 0, problem.decode()
    assert json.loads(said)["result"]["structuredContent"] == {"result": 3}
    assert home.sign_ins == 1
