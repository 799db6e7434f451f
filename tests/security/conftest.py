"""A sign-in that somebody has just gone through."""

from __future__ import annotations

import pytest

from tests.security.walk import Walk
from tests.support.servers import Running


@pytest.fixture
async def walk(server: Running) -> Walk:
    return await Walk.to_the_end(server)
