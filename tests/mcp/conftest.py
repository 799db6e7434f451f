"""A world for each era of the protocol."""

from __future__ import annotations

import pytest

from tests.mcp.worlds import World


@pytest.fixture(params=["auto", "legacy"], ids=["modern", "handshake"])
def world(request: pytest.FixtureRequest) -> World:
    """Both eras of the protocol: what holds in one holds in the other."""
    return World(request.param)
