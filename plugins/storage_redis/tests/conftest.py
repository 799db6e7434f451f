"""A real Redis for these tests, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

BINARY = shutil.which("redis-server")


SERVERS: list[Server] = []
"""All that were started, so that none is left behind by a test that fails half-way."""


class Server:
    """One redis-server that a test may stop, kill, pause and start again."""

    def __init__(
        self, directory: Path, configuration: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.arguments = [str(configuration)] if configuration else []
        self.options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        SERVERS.append(self)
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        command = [BINARY, *self.arguments, "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self.directory), "--save", "", "--daemonize", "no"]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        until(self.listens, "redis-server listens")

    def listens(self) -> bool:
        assert self.process.poll() is None, "redis-server ended at once"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except ConnectionRefusedError:
            return False

    def ask(self, *command: str) -> Any:
        """Return what Redis answers to a command, as it came over the wire."""
        with Redis(port=self.port, decode_responses=True, protocol=3) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    def stop(self) -> None:
        self.process.terminate()
        self.resume()
        self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


class Replicated:
    """A primary, its replica, and a Sentinel that watches over them."""

    def __init__(self, directory: Path) -> None:
        at_once = ["--repl-diskless-sync-delay", "0"]
        self.primary = Server(directory / "primary", options=at_once)
        follow = ["--replicaof", "127.0.0.1", str(self.primary.port)]
        self.replica = Server(directory / "replica", options=[*follow, *at_once])
        until(lambda: "master_link_status:up" in self.replica.ask("INFO", "replication"), "a link")
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor tokens 127.0.0.1 {self.primary.port} 1\n"
            "sentinel down-after-milliseconds tokens 300\n"
            "sentinel failover-timeout tokens 2000\n"
        )
        self.sentinel = Server(
            directory / "sentinel", configuration=configuration, options=["--sentinel"]
        )
        self.servers = [self.sentinel, self.primary, self.replica]
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel.port}/tokens"
        until(self.is_known, "Sentinel knows the replica")

    def is_known(self) -> bool:
        replicas = self.sentinel.ask("SENTINEL", "REPLICAS", "tokens")
        return any(replica["master-link-status"] == "ok" for replica in replicas)

    def replicated(self) -> bool:
        """Wait until the replica has all that was written."""
        return bool(self.primary.ask("WAIT", "1", "5000") == 1)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


class Cluster:
    """Three primaries, each with a third of the slots, and a replica of the first one."""

    def __init__(self, directory: Path) -> None:
        self.nodes = [self._node(directory / str(number)) for number in range(4)]
        *primaries, replica = self.nodes
        bounds = [0, 5461, 10923, 16384]
        for number, node in enumerate(primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", str(bounds[number]), str(bounds[number + 1] - 1))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node in self.nodes[1:]:
            bus = node.options[node.options.index("--cluster-port") + 1]
            self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), bus)
        until(lambda: all(self._knows_all(node) for node in self.nodes), "all nodes have met")
        replica.ask("CLUSTER", "REPLICATE", str(primaries[0].ask("CLUSTER", "MYID")))
        until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"), "a link")
        until(lambda: all(self.is_up(node) for node in self.nodes), "the cluster is up")
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in primaries[:2])

    def _node(self, directory: Path) -> Server:
        options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
        options += ["--cluster-node-timeout", "500", "--repl-diskless-sync-delay", "0"]
        return Server(directory, options=[*options, "--cluster-replica-validity-factor", "0"])

    def _knows_all(self, node: Server) -> bool:
        return f"cluster_known_nodes:{len(self.nodes)}" in str(node.ask("CLUSTER", "INFO"))

    def is_up(self, node: Server) -> bool:
        return "cluster_state:ok" in str(node.ask("CLUSTER", "INFO"))

    def replicated(self) -> bool:
        """Wait until the replica has all that was written to the first node."""
        return bool(self.nodes[0].ask("WAIT", "1", "5000") == 1)

    def forget(self) -> None:
        for node in self.nodes[:3]:
            node.ask("FLUSHALL")

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(ask: Callable[[], bool], what: str) -> None:
    """Wait until that is so, for some seconds at most."""
    give_up = time.monotonic() + 15
    while not ask():
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session", autouse=True)
def _servers() -> Iterator[None]:
    if BINARY is None:
        pytest.skip("NOT TESTED: there is no redis-server here (Debian: apt install redis-server)")
    yield
    for server in SERVERS:
        if server.process.poll() is None:
            server.kill()


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


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    """A primary with a Sentinel, for the test to break."""
    replicated = Replicated(tmp_path)
    yield replicated
    replicated.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for the test to break."""
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.stop()
