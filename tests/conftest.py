"""Fixtures for the host's tests: the Redmines, our server before them, and its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.support.logs import Stream, logging_as_it_was
from tests.support.servers import (
    BY_KEY,
    Running,
    Target,
    real_target,
    running_server,
    sandbox_target,
)

NO_REAL_REDMINE = "REAL_REDMINE_URL is not set: no real Redmine took part (see tests/real_redmine)"


@pytest.fixture
async def sandbox() -> AsyncIterator[Target]:
    """A fresh sandbox Redmine."""
    async with sandbox_target() as target:
        yield target


@pytest.fixture
def real_redmine() -> Target:
    """The real Redmine; the test is skipped where there is none."""
    target = real_target()
    if target is None:
        pytest.skip(NO_REAL_REDMINE)
    return target


@pytest.fixture(
    params=["sandbox", pytest.param("real", marks=[pytest.mark.real_redmine])],
)
async def redmine(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """Each Redmine there is: what holds for one must hold for the other."""
    if request.param == "real":
        yield request.getfixturevalue("real_redmine")
        return
    async with sandbox_target() as target:
        yield target


@pytest.fixture
async def server(sandbox: Target) -> AsyncIterator[Running]:
    """Our server before a sandbox."""
    async with running_server(sandbox) as running:
        yield running


@pytest.fixture
async def ours(redmine: Target) -> AsyncIterator[Running]:
    """Our server before each Redmine."""
    async with running_server(redmine) as running:
        yield running


@pytest.fixture
async def keyed(sandbox: Target) -> AsyncIterator[Running]:
    """Our server before a sandbox that is taken for a Redmine without OAuth."""
    async with running_server(sandbox, **BY_KEY) as running:
        yield running


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """Log lines that a test can read; the loggers are as before afterwards."""
    with logging_as_it_was():
        yield Stream(monkeypatch)
    structlog.reset_defaults()
