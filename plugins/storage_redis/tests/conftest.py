"""A real Redis for these tests, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

BINARY = shutil.which("redis-server")


class Server:
    """One redis-server that a test may stop and start again."""

    def __init__(
        self, directory: Path, configuration: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self.arguments = [str(configuration)] if configuration else []
        self.options = options
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        command = [BINARY, *self.arguments, "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self.directory), "--save", "", "--daemonize", "no"]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        give_up = time.monotonic() + 10
        while not self.answers():
            assert self.process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < give_up, "redis-server does not listen"

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except ConnectionRefusedError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session", autouse=True)
def _binary() -> None:
    if BINARY is None:
        pytest.skip("NOT TESTED: there is no redis-server here (Debian: apt install redis-server)")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may break."""
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def server_class() -> type[Server]:
    """For a server with options of its own; the test stops it."""
    return Server
