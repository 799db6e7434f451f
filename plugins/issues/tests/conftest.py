"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import pytest
from redmine_mcp_issues import plugin as issues

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing.fixtures import (
    SignIn,
    Target,
    real_redmine,
    redmine,
    sandbox,
    sign_in,
)

__all__ = ["real_redmine", "redmine", "sandbox", "sign_in"]


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return issues


@pytest.fixture
def sign_in_to_real(real_redmine: Target) -> SignIn:
    """Call tools as somebody of the real Redmine."""
    return real_redmine.client


@pytest.fixture
def read_as(redmine: Target) -> SignIn:
    """Sign in to each Redmine there is."""
    return redmine.client
