"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redmine_mcp_projects import plugin as projects

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing.fixtures import Target, redmine, sandbox, sign_in

__all__ = ["redmine", "sandbox", "sign_in"]

UP = Path(__file__).parents[3] / "tests/real_redmine/up.py"


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return projects


@pytest.fixture
def written(redmine: Target) -> Iterator[Target]:
    """Each Redmine there is, for tests that write: the real one is put back to its seed."""
    try:
        yield redmine
    finally:
        if redmine.sandbox is None:
            subprocess.run([sys.executable, UP, "reset"], check=True, capture_output=True)
