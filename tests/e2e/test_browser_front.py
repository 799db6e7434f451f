"""The front page in a real Chromium: looked at, checked by axe, and copied from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redmine_mcp_core.clients.table import CLIENTS
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.several import open_each
from tests.e2e.chromium import Person
from tests.support.servers import Running, Target, free_port, serving, settings_for

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


async def test_the_front_page(server: Running, browser: Browser) -> None:
    """Each client opens to what it has to be told; one click selects all of that."""
    person = await Person.at(browser)
    page = person.page

    await page.goto(f"{server.url}/")
    await person.inspect("front")
    for client in CLIENTS:
        await page.locator("summary").get_by_text(client.name, exact=True).click()
    await person.inspect("front-goose")
    await page.locator("summary").get_by_text("Claude Desktop", exact=True).click()
    await person.inspect("front-desktop")
    await page.locator("summary").get_by_text("Cursor", exact=True).click()
    await person.inspect("front-cursor")
    await page.locator("details[open] pre").click()
    copied = await page.evaluate("getSelection().toString()")

    assert await page.locator("details[open]").count() == 1
    assert '"mcpServers"' in copied
    assert copied.endswith("}")
    assert f"{server.url}/mcp" in copied
    link = await page.get_by_role("link", name="Add to Cursor").get_attribute("href")
    assert (link or "").startswith("cursor://")


async def test_the_front_page_leads_to_the_connections(server: Running, browser: Browser) -> None:
    """The link is one that works, without a script."""
    person = await Person.at(browser, java_script_enabled=False)

    await person.page.goto(f"{server.url}/")
    await person.page.get_by_role("link", name="your connections").click()

    assert "Sign in to see your connections" in await person.page.locator("h1").inner_text()


async def test_the_front_page_of_several(sandbox: Target, browser: Browser) -> None:
    """Each Redmine has a section of its own, at the root and at the address of each."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    each = {
        name: settings_for(sandbox, port, mcp_public_url=f"{root}/{name}")
        for name in ("intern", "customers")
    }
    person = await Person.at(browser)
    async with open_each(each, Metrics()) as served, serving(served.app, port, lifespan="on"):
        for path in ("/", "/customers/"):
            await person.page.goto(f"{root}{path}")
            sections = await person.page.locator("section .where code").all_inner_texts()

            assert sections == [f"{root}/intern/mcp", f"{root}/customers/mcp"]
        await person.inspect("front-several")
