"""How fast the command starts, beside the least that could do the same: `python startup.py`.

Both of a pair run in turns, so that a busy machine slows both. The ratio is of the fastest runs:
what else the machine does can only add to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

RUNS = int(os.environ.get("RUNS", "20"))
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "startup", "version": "1"},
    },
}
SMALLEST = '''
from fastmcp import FastMCP
mcp = FastMCP("small")
@mcp.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
mcp.run(show_banner=False)
'''
COMMAND = [sys.executable, "-m", "redmine_mcp_core.cli"]
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    "REDMINE_URL": "http://redmine.invalid",
    "REDMINE_API_KEY": "0" * 40,
}


def ended(command: list[str]) -> float:
    """Seconds until a command has ended."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
    return time.perf_counter() - started


def answered(command: list[str]) -> float:
    """Seconds until a server has answered its first request."""
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as process:
        asked, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        asked.write(json.dumps(HELLO).encode() + b"\n")
        asked.flush()
        line = answers.readline()
        seconds = time.perf_counter() - started
        asked.close()
    if b"serverInfo" not in line:
        raise SystemExit(f"{command} answered {line!r}")
    return seconds


def compare(
    name: str,
    bound: float,
    measure: Callable[[list[str]], float],
    ours: list[str],
    least: list[str],
) -> bool:
    pairs = [(measure(least), measure(ours)) for _ in range(RUNS)]
    base, taken = (min(column) for column in zip(*pairs, strict=True))
    ratio = taken / base
    print(f"{name}: {taken * 1000:.0f} ms, {ratio:.2f} times {base * 1000:.0f} ms (<= {bound})")
    return ratio <= bound


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        small = Path(folder, "small.py")
        small.write_text(SMALLEST, encoding="utf-8")
        bare = [sys.executable, "-c", "import cyclopts"]
        fits = [
            compare("--help", 1.5, ended, [*COMMAND, "--help"], bare),
            compare("stdio", 1.15, answered, [*COMMAND, "stdio"], [sys.executable, str(small)]),
        ]
        os.chdir("/")
    return 0 if all(fits) else 1


if __name__ == "__main__":
    sys.exit(main())
