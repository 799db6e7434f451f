"""A client of a server with this plugin, before a sandbox Redmine."""

from __future__ import annotations

import pytest
from redmine_mcp_deadlines import plugin as deadlines

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing.fixtures import redmine, sandbox, sign_in

__all__ = ["redmine", "sandbox", "sign_in"]


@pytest.fixture
def plugin() -> Plugin:
    return deadlines
