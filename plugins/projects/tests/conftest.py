"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import pytest
from redmine_mcp_projects import plugin as projects

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing.fixtures import redmine, sandbox, sign_in

__all__ = ["redmine", "sandbox", "sign_in"]


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return projects
