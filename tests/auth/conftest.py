"""Service accounts of the server under test, and one of them."""

from __future__ import annotations

import pytest

from redmine_mcp_core.auth.accounts import ServiceAccount, ServiceAccounts
from tests.support.servers import Running
from tests.support.service_accounts import add


@pytest.fixture
def accounts(server: Running) -> ServiceAccounts:
    return ServiceAccounts(server.host.store)


@pytest.fixture
async def nightly(server: Running) -> ServiceAccount:
    return await add(server)
