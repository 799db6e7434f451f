"""Two Redmines with one seed: the sandbox, and a real one when there is one to ask.

``tests/real_redmine/up.py`` starts the real one and prints ``REAL_REDMINE_URL``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .target import Target, sandbox_target

REAL_URL = os.environ.get("REAL_REDMINE_URL", "").rstrip("/")
NEEDS_REAL = [
    pytest.mark.real_redmine,
    pytest.mark.skipif(
        not REAL_URL, reason="REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it"
    ),
]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Target]:
    """The sandbox, served over loopback."""
    with sandbox_target() as target:
        yield target


@pytest.fixture(scope="session")
def real() -> Iterator[Target]:
    """The real Redmine; a test that takes it wears ``NEEDS_REAL``."""
    with Target(REAL_URL) as target:
        yield target


@pytest.fixture(scope="session")
def scratch_sandbox() -> Iterator[Target]:
    """A second sandbox, served once for all tests that write."""
    with sandbox_target() as target:
        yield target


@pytest.fixture
def fresh_sandbox(scratch_sandbox: Target) -> Target:
    """A sandbox to write in: as the seed says."""
    scratch_sandbox.reset()
    return scratch_sandbox


@pytest.fixture
def fresh_real(real: Target) -> Iterator[Target]:
    """The real Redmine to write in: as the seed says, before and after."""
    real.reset()
    yield real
    real.reset()


@pytest.fixture(params=["sandbox", pytest.param("real", marks=NEEDS_REAL)])
def fresh_redmine(request: pytest.FixtureRequest) -> Target:
    """The Redmine under test, to write in."""
    target: Target = request.getfixturevalue(f"fresh_{request.param}")
    return target


@pytest.fixture(scope="session", params=["sandbox", pytest.param("real", marks=NEEDS_REAL)])
def redmine(request: pytest.FixtureRequest) -> Target:
    """The Redmine under test. Tests leave it as they found it, so one serves them all."""
    target: Target = request.getfixturevalue(request.param)
    return target
