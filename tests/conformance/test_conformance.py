"""What the official conformance suite says of our server, and of our authorization server."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.conformance.suite import run, signed_in_server
from tests.e2e.npm import Npm, follow, installed
from tests.support.servers import Target, free_port, running_server
from tests.support.sign_in import register

pytestmark = pytest.mark.npm

EXPECTED = tomllib.loads(
    Path(__file__).with_name("expected_failures.toml").read_text(encoding="utf-8")
)
LEAST_PASSED = {"2025-11-25": 50, "2026-07-28": 150}
"""Checks, so that a suite that hardly runs does not pass."""


@pytest.fixture(scope="module")
def npm() -> Npm:
    return installed()


# The older revision still requires it.
@pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
@pytest.mark.parametrize("revision", EXPECTED)
async def test_the_server_conforms(
    npm: Npm, sandbox: Target, tmp_path: Path, revision: str
) -> None:
    """All that this revision of the specification requires, but for what is listed with reasons."""
    async with signed_in_server(sandbox) as server:
        said, checks = await run(
            npm, tmp_path, "server", "--url", f"{server.url}/mcp", "--requirements", revision
        )

    failed = {check.scenario: check for check in checks if check.status == "FAILURE"}
    assert sum(check.status == "SUCCESS" for check in checks) >= LEAST_PASSED[revision], said
    assert [check for name, check in failed.items() if name not in EXPECTED[revision]] == []
    assert set(EXPECTED[revision]) - set(failed) == set(), "these pass: take them off the list"


async def test_the_authorization_server_conforms(npm: Npm, redmine: Target, tmp_path: Path) -> None:
    """Metadata, and a code grant that a person completes, before each Redmine."""
    port = free_port()
    async with running_server(redmine) as server:
        client_id = await register(server.url, redirect_uris=[f"http://127.0.0.1:{port}/callback"])
        arguments = ["authorization", "--url", f"{server.url}/", "--client-id", client_id]
        arguments += ["--port", str(port), "--resource", f"{server.url}/mcp"]
        said, checks = await run(
            npm, tmp_path, *arguments, on_address=lambda address: follow(address, "alice")
        )

    assert {check.id: (check.status, check.message) for check in checks} == dict.fromkeys(
        [
            "authorization-server-metadata",
            "authorization-server-metadata-cimd",
            "authorization-code-grant",
        ],
        ("SUCCESS", ""),
    ), said


def test_every_expected_failure_has_a_reason() -> None:
    """A list without reasons would only grow."""
    reasons = [reason for expected in EXPECTED.values() for reason in expected.values()]

    assert all(re.search(r"\w+ \w+", reason) for reason in reasons)
