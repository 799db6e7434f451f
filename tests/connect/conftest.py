"""Fixtures of the bridge's tests: a machine of one's own, and a server that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connect.bridges import Home
from tests.connect.theirs import Theirs, running_theirs


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
async def theirs() -> AsyncIterator[Theirs]:
    async with running_theirs() as running:
        yield running
