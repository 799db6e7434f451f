"""However a client ends, its bridge ends with it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.connect.bridges import COMMAND, Home
from tests.connect.theirs import Theirs
from tests.support.processes import listens, until

LIST = {"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {}}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_client_closes_its_end(theirs: Theirs, home: Home) -> None:
    """The answers under way still come; then it is over, with exit code 0."""
    async with home.bridge(theirs.url) as bridge:
        await bridge.open()
        bridge.say(LIST)
        bridge.close_input()
        heard = await bridge.hear()
        code = await bridge.ended()

    assert heard["id"] == 5
    assert code == 0
    assert any(seen.verb == "DELETE" for seen in theirs.front.seen)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)]
)
async def test_a_signal(theirs: Theirs, home: Home, number: signal.Signals, code: int) -> None:
    """It ends at once, and tells the server that the session is over."""
    async with home.bridge(theirs.url) as bridge:
        await bridge.open()
        bridge.send(number)

        assert await bridge.ended() == code
    assert any(seen.verb == "DELETE" for seen in theirs.front.seen)


async def test_a_signal_during_a_sign_in(theirs: Theirs, home: Home) -> None:
    """Nobody comes back to a port whose bridge is gone, and the next one signs in anew."""
    async with home.bridge(theirs.url, "--no-browser") as bridge:
        bridge.say({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})

        async def told() -> bool:
            return "redirect_uri" in home.log.read_text()

        await until(told)
        port = int(home.log.read_text().split("redirect_uri=http%3A%2F%2F127.0.0.1%3A")[1][:5])
        assert await listens(port)
        bridge.send(signal.SIGTERM)

        assert await bridge.ended() == 0
    assert not await listens(port)
    async with home.bridge(theirs.url) as bridge:
        assert "result" in await bridge.open()


async def test_a_client_that_reads_no_more(theirs: Theirs, home: Home) -> None:
    """A closed pipe on standard output is an end, too."""
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *("connect", theirs.url),
        env=home.environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=writing,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(writing)
    os.close(reading)
    assert process.stdin
    process.stdin.write(b"nonsense\n")
    async with asyncio.timeout(20):
        code = await process.wait()

    assert code == 0


async def test_a_parent_that_vanishes(theirs: Theirs, home: Home) -> None:
    """Killed, the client says nothing; even where the pipe stays open the bridge ends."""
    program = (
        "import subprocess, sys, time\n"
        "reading, writing = __import__('os').pipe()\n"
        "bridge = subprocess.Popen(sys.argv[1:], stdin=reading, stdout=subprocess.DEVNULL,"
        " pass_fds=[writing])\n"
        "print(bridge.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with home.log.open("wb") as log:
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", program, str(COMMAND), "connect", theirs.url, "--log-level", "info"),
            env=home.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert parent.stdout
    pid = int(await parent.stdout.readline())

    async def started() -> bool:
        return "bridge ready" in home.log.read_text()

    await until(started)
    parent.kill()
    await parent.wait()

    async def ended() -> bool:
        return not is_alive(pid)

    await until(ended)
    assert "parent gone" in home.log.read_text()
