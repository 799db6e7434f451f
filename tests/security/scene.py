"""A server between two wires, what is secret on them, and all that the server wrote."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from redmine_mcp_sandbox.seed import load_seed

from tests.support.processes import Process
from tests.support.relay import Relay
from tests.support.servers import Target
from tests.support.sign_in import Tokens

PASSWORD = "password1234"
REDMINE_TOKEN = re.compile(rb'"(?:access|refresh)_token":\s*"([\w-]{20,})"')
REDMINE_CODE = re.compile(rb"/auth/callback\?code=([\w-]{20,})")
COOKIE = re.compile(rb"set-cookie: [^=]+=([^;\r\n]{16,})", re.IGNORECASE)
CSRF_TOKEN = re.compile(rb'name="csrf_token" value="([\w-]{16,})"')
LONG_ENOUGH = 20
"""Characters of a text below which it may stand somewhere by chance."""


@dataclass
class Scene:
    """Our server in a process, the two wires, and what became known on the way."""

    url: str
    target: Target
    to_redmine: Relay
    to_us: Relay
    process: Process
    folder: Path
    spans: bytearray
    """What went to the collector of traces."""
    ours: set[str] = field(default_factory=set)
    """Tokens, codes and verifiers that our server and its clients handed each other."""

    def learn(self, tokens: Tokens) -> Tokens:
        self.ours |= {tokens.access, tokens.refresh}
        return tokens

    @property
    def redmine_tokens(self) -> list[str]:
        """Every token that Redmine issued to us, oldest first."""
        return [token.decode() for token in REDMINE_TOKEN.findall(self.to_redmine.answered)]

    @property
    def redmine_codes(self) -> list[str]:
        return [code.decode() for code in REDMINE_CODE.findall(self.to_us.sent)]

    @property
    def secrets_of_redmine(self) -> dict[str, Iterable[str]]:
        """What no client and nobody else may ever be told."""
        secret = self.target.client_secret
        basic = base64.b64encode(f"{self.target.client_id}:{secret}".encode()).decode()
        return {
            "Redmine's tokens": self.redmine_tokens,
            "Redmine's authorization codes": self.redmine_codes,
            "the client secret": [secret, basic],
            "a password": [PASSWORD],
            "an API key": [user.api_key for user in load_seed().users],
        }

    @property
    def secrets_of_clients(self) -> dict[str, Iterable[str]]:
        """What a client may be told, and nobody else."""
        issues = load_seed().issues
        lines = (line for issue in issues for line in issue.description.splitlines())
        return {
            "our tokens and codes": self.ours,
            "our cookies": {value.decode() for value in COOKIE.findall(self.to_us.answered)},
            "our form tokens": {
                token.decode() for token in CSRF_TOKEN.findall(self.to_us.answered)
            },
            "an issue's subject": [issue.subject for issue in issues],
            "an issue's description": [line for line in lines if len(line) >= LONG_ENOUGH],
        }

    @property
    def log(self) -> bytes:
        return (self.process.stdout + self.process.stderr).encode()

    @property
    def audit(self) -> bytes:
        return (self.folder / "audit.jsonl").read_bytes()

    @property
    def database(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.glob("tokens.sqlite3*"))


def found_in(place: bytes, *secrets: dict[str, Iterable[str]]) -> dict[str, list[str]]:
    """Which of these secrets stand there, by kind."""
    kinds = {kind: values for group in secrets for kind, values in group.items()}
    assert all(any(values) for values in kinds.values()), f"a kind has no values: {kinds}"
    found = {
        kind: [value for value in values if value.encode() in place]
        for kind, values in kinds.items()
    }
    return {kind: values for kind, values in found.items() if values}
