"""From a URL to an address: which hosts, as whom, and how patiently. Nothing is connected here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redmine_mcp_core import StoreError

Topology = Literal["", "sentinel", "cluster"]

DEFAULT_PORTS: Mapping[Topology, int] = {"": 6379, "sentinel": 26379, "cluster": 6379}
SCHEMES = tuple(
    f"{scheme}+{topology}".rstrip("+")
    for topology in DEFAULT_PORTS
    for scheme in ("redis", "rediss")
)

_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def _count(text: str) -> int:
    return int(_positive(text))


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "health_check_interval": _count,
    "max_connections": _count,
    "socket_connect_timeout": _positive,
    "socket_timeout": _positive,
    "timeout": _positive,
    "wait_ms": _count,
    "wait_replicas": _count,
}
_TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": {word: word for word in ("none", "optional", "required")}.__getitem__,
    "ssl_certfile": str,
    "ssl_check_hostname": _TRUTH.__getitem__,
    "ssl_keyfile": str,
}
_SENTINEL_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "sentinel_password": str,
    "sentinel_username": str,
}
"""What may stand after the ``?``, and how it is read; redis-py says what most of them mean."""

_DEFAULTS: Mapping[str, Any] = {
    "max_connections": 32,
    "timeout": 5.0,  # seconds to wait for one of them
    "socket_connect_timeout": 2.0,
    "socket_timeout": 3.0,
    "wait_ms": 1000,
    "wait_replicas": 0,
}

_WAIT_LATE = 0.2
"""Seconds by which Redis may answer a WAIT too late: it looks at the time every tenth of one."""


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis, a Sentinel's service or a cluster; ``repr`` shows no secret."""

    topology: Topology
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    database: int
    service: str
    """What Sentinel calls the primary."""
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)

    @property
    def where(self) -> str:
        """The address for people to read."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{hosts}/{self.service}" if self.service else hosts


def parse(url: str) -> Address:
    """Read a URL; raise ``StoreError`` for one that cannot be used.

    The error repeats no part of it: where a password with a ``/`` or ``?`` that nobody encoded
    ends, one cannot know.
    """
    parts = _split(url)
    scheme, _, kind = parts.scheme.partition("+")
    topology: Topology = "sentinel" if kind == "sentinel" else "cluster" if kind else ""
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    if "," in hosts and not topology:
        raise StoreError(
            "The Redis URL names several hosts; write redis+sentinel:// or redis+cluster://."
        )
    service, database = _path(parts, topology)
    return Address(
        topology=topology,
        tls=scheme == "rediss",
        hosts=tuple(_host(host, DEFAULT_PORTS[topology]) for host in hosts.split(",")),
        database=database,
        service=service,
        username=unquote(username) or None,
        password=unquote(password) or None,
        options=_options(parts, scheme, topology),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):
            _host(host, 0)
    except ValueError:
        raise StoreError(
            "The Redis URL cannot be read; write redis://user:password@host:6379/0, with "
            "characters such as / ? # @ in the password percent-encoded."
        ) from None
    return parts


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or default_port


def _path(parts: SplitResult, topology: Topology) -> tuple[str, int]:
    words = [unquote(word) for word in parts.path.split("/") if word]
    service = words.pop(0) if topology == "sentinel" and words else ""
    if parts.fragment or len(words) > 1 or not all(word.isdecimal() for word in words):
        raise StoreError("What follows the host in the Redis URL must be a database's number.")
    if topology == "sentinel" and not service:
        raise StoreError(
            "The Sentinel URL does not say which primary; write "
            "redis+sentinel://host:26379,host:26379/service/0."
        )
    if topology == "cluster" and words not in ([], ["0"]):
        raise StoreError("A Redis Cluster has only database 0; leave it out of the URL.")
    return service, int(words[0]) if words else 0


def _options(parts: SplitResult, scheme: str, topology: Topology) -> Mapping[str, Any]:
    known = {
        **_OPTIONS,
        **(_TLS_OPTIONS if scheme == "rediss" else {}),
        **(_SENTINEL_OPTIONS if topology == "sentinel" else {}),
    }
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not given.keys() <= known.keys():
        raise StoreError(
            f"The Redis URL has an option that is not known for {parts.scheme}: "
            f"possible are {', '.join(sorted(known))}."
        )
    try:
        options = {**_DEFAULTS, **{name: known[name](text) for name, text in given.items()}}
    except (KeyError, ValueError):
        raise StoreError("An option of the Redis URL has a value that cannot be used.") from None
    answered = options["wait_ms"] / 1000 + _WAIT_LATE
    if options["wait_replicas"] and answered > options["socket_timeout"]:
        raise StoreError(
            f"wait_ms in the Redis URL must be {_WAIT_LATE * 1000:.0f} less than socket_timeout in "
            "milliseconds: the answer would come when nobody waits for it any more."
        )
    return options
