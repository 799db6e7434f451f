"""For the tests of all plugins that write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmine_mcp_core.testing.fixtures import Target

UP = Path(__file__).parents[1] / "tests/real_redmine/up.py"


@pytest.fixture
def written(redmine: Target) -> Iterator[Target]:
    """Each Redmine there is, for tests that write: the real one is put back to its seed."""
    try:
        yield redmine
    finally:
        if redmine.sandbox is None:
            subprocess.run([sys.executable, UP, "reset"], check=True, capture_output=True)
