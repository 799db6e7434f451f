"""A real Redis for these tests, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis

BINARY = shutil.which("redis-server")


SERVERS: list[Server] = []
"""All that were started, so that none is left behind by a test that fails half-way."""


class Certificate(NamedTuple):
    """A certificate for 127.0.0.1 that signs itself, and its key, for whoever runs a Redis."""

    path: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(directory / "redis.crt", directory / "redis.key")
        made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made

    def options(self, port: int) -> list[str]:
        """What makes a Redis speak TLS only: with its clients, its replicas and its cluster."""
        files = ["--tls-cert-file", str(self.path), "--tls-key-file", str(self.key)]
        files += ["--tls-ca-cert-file", str(self.path), "--tls-auth-clients", "no"]
        among_themselves = ["--tls-replication", "yes", "--tls-cluster", "yes"]
        return ["--port", "0", "--tls-port", str(port), *files, *among_themselves]


class Server:
    """One redis-server that a test may stop, kill, pause and start again."""

    def __init__(
        self,
        directory: Path,
        configuration: Path | None = None,
        options: Sequence[str] = (),
        tls: Certificate | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.tls = tls
        self.directory = directory
        self.arguments = [str(configuration)] if configuration else []
        self.options = list(options)
        self.port = free_port()
        self.url = f"{scheme(tls)}://127.0.0.1:{self.port}/0"
        SERVERS.append(self)
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        port = self.tls.options(self.port) if self.tls else ["--port", str(self.port)]
        command = [BINARY, *self.arguments, "--bind", "127.0.0.1", *port]
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
        with self._connected() as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    def copied(self) -> bool:
        """Wait until a replica has all that was written; WAIT asks for its own connection only."""
        with self._connected() as client, client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command("FUNCTION", "FLUSH")  # a write, and of no node's slot
            pipeline.execute_command("WAIT", "1", "5000")
            return bool(pipeline.execute()[1] == 1)

    def _connected(self) -> Redis:
        trust = {"ssl_ca_certs": str(self.tls.path)} if self.tls else {}
        return Redis.from_url(self.url, decode_responses=True, protocol=3, **trust)

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

    def __init__(self, directory: Path, tls: Certificate | None = None) -> None:
        at_once = ["--repl-diskless-sync-delay", "0"]
        self.primary = Server(directory / "primary", options=at_once, tls=tls)
        follow = ["--replicaof", "127.0.0.1", str(self.primary.port)]
        self.replica = Server(directory / "replica", options=[*follow, *at_once], tls=tls)
        until(lambda: "master_link_status:up" in self.replica.ask("INFO", "replication"), "a link")
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor tokens 127.0.0.1 {self.primary.port} 1\n"
            "sentinel down-after-milliseconds tokens 300\n"
            "sentinel failover-timeout tokens 2000\n"
        )
        self.sentinel = Server(directory / "sentinel", configuration, ["--sentinel"], tls)
        self.servers = [self.sentinel, self.primary, self.replica]
        self.url = f"{scheme(tls)}+sentinel://127.0.0.1:{self.sentinel.port}/tokens"
        until(self.is_known, "Sentinel knows the replica")

    def is_known(self) -> bool:
        replicas = self.sentinel.ask("SENTINEL", "REPLICAS", "tokens")
        return any(replica["master-link-status"] == "ok" for replica in replicas)

    def replicated(self) -> bool:
        """Wait until the replica has all that was written."""
        return self.primary.copied()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


class Cluster:
    """Three primaries, each with a third of the slots and a replica of its own."""

    def __init__(self, directory: Path, tls: Certificate | None = None) -> None:
        self.nodes = [self._node(directory / str(number), tls) for number in range(6)]
        primaries, replicas = self.nodes[:3], self.nodes[3:]
        bounds = [0, 5461, 10923, 16384]
        for number, node in enumerate(primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", str(bounds[number]), str(bounds[number + 1] - 1))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node in self.nodes[1:]:
            bus = node.options[node.options.index("--cluster-port") + 1]
            self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), bus)
        until(lambda: all(self._knows_all(node) for node in self.nodes), "all nodes have met")
        for primary, replica in zip(primaries, replicas, strict=True):
            replica.ask("CLUSTER", "REPLICATE", str(primary.ask("CLUSTER", "MYID")))
        until(lambda: all(self._has_link(replica) for replica in replicas), "all links")
        until(lambda: all(self.is_up(node) for node in self.nodes), "the cluster is up")
        some = ",".join(f"127.0.0.1:{node.port}" for node in primaries[:2])
        self.url = f"{scheme(tls)}+cluster://{some}"

    def _node(self, directory: Path, tls: Certificate | None) -> Server:
        options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
        options += ["--cluster-node-timeout", "500", "--repl-diskless-sync-delay", "0"]
        options += ["--cluster-replica-validity-factor", "0"]
        return Server(directory, options=options, tls=tls)

    def _knows_all(self, node: Server) -> bool:
        return f"cluster_known_nodes:{len(self.nodes)}" in str(node.ask("CLUSTER", "INFO"))

    def _has_link(self, node: Server) -> bool:
        return "master_link_status:up" in str(node.ask("INFO", "replication"))

    def is_up(self, node: Server) -> bool:
        return "cluster_state:ok" in str(node.ask("CLUSTER", "INFO"))

    def replicated(self) -> bool:
        """Wait until the replicas have all that was written."""
        return all(node.copied() for node in self.nodes[:3])

    def forget(self) -> None:
        for node in self.nodes[:3]:
            node.ask("FLUSHALL")

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


def scheme(tls: Certificate | None) -> str:
    return "rediss" if tls else "redis"


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


_T = TypeVar("_T", Server, Replicated, Cluster)


def lend(started: _T) -> Iterator[_T]:
    yield started
    started.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from lend(Server(tmp_path_factory.mktemp("redis")))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may break."""
    yield from lend(Server(tmp_path))


@pytest.fixture
def server_class() -> type[Server]:
    """For a server with options of its own; the test stops it."""
    return Server


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    """A primary with a Sentinel, for the test to break."""
    yield from lend(Replicated(tmp_path))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from lend(Cluster(tmp_path_factory.mktemp("cluster")))


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for the test to break."""
    yield from lend(Cluster(tmp_path))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def strange_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One that no Redis here has."""
    return Certificate.make(tmp_path_factory.mktemp("strange-certificate"))


@pytest.fixture(scope="session")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[Server]:
    """Like the others, and all speak TLS and nothing else, among themselves, too."""
    yield from lend(Server(tmp_path_factory.mktemp("tls-redis"), tls=certificate))


@pytest.fixture
def tls_replicated(tmp_path: Path, certificate: Certificate) -> Iterator[Replicated]:
    yield from lend(Replicated(tmp_path, tls=certificate))


@pytest.fixture(scope="session")
def tls_cluster(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[Cluster]:
    yield from lend(Cluster(tmp_path_factory.mktemp("tls-cluster"), tls=certificate))
