"""A real Chromium with a person before it: what an MCP client's user sees while signing in."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from fastmcp.client.auth import OAuth
from key_value.aio.protocols import AsyncKeyValue
from mcp.shared.auth import AuthorizationCodeResult

from redmine_mcp_core.storage.memory import MemoryStore
from tests.e2e import axe
from tests.support.processes import listens, until

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page

SCREENSHOTS = Path(__file__).parents[2] / "artifacts/screenshots"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Ends when the page was drawn as it is now."""
STATUS = "Failed to load resource: the server responded with a status of"
VIEWPORTS = {"desktop": (1280, 800), "phone": (390, 844)}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """This machine's Chromium; the test is skipped where it or playwright is absent."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        pytest.skip("NO BROWSER TOOK PART: playwright is not installed (pip install playwright)")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("NO BROWSER TOOK PART: no chromium on PATH (apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Person:
    """Somebody at a browser of their own: no cookie is shared with another person."""

    page: Page
    complaints: list[tuple[str, str]] = field(default_factory=list)
    """What the browser's console complained about, each with the address it was about."""

    @classmethod
    async def at(cls, browser: Browser, **options: Any) -> Person:
        context = await browser.new_context(viewport=_size("desktop"), **options)
        context.set_default_timeout(10_000)
        person = cls(await context.new_page())
        person.page.on("console", person._note)
        person.page.on("pageerror", lambda error: person._complain(person.page.url, str(error)))
        return person

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complain(message.location["url"] or self.page.url, message.text)

    def _complain(self, url: str, text: str) -> None:
        self.complaints.append((url, text))

    def complaints_about(self, address: str) -> list[str]:
        return [text for url, text in self.complaints if url.startswith(address)]

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def log_in_to_redmine(self, login: str, password: str = "password1234") -> None:
        """Fill in Redmine's login page, and stay on whatever follows."""
        await self.page.locator("#username").fill(login)
        await self.page.locator("#password").fill(password)
        await self.press("Login")

    async def authorize_in_redmine(self, destination: str) -> None:
        """Press Authorize, if Redmine asks: it does not where this was granted before."""
        await self.arrives_at("/oauth/authorize", destination)
        if destination not in self.page.url:
            await self.press("Authorize")
        await self.arrives_at(destination)

    async def arrives_at(self, *parts: str) -> None:
        """Wait until the address has one of these parts; else tell where the person is."""
        from playwright.async_api import Error

        try:
            await self.page.wait_for_url(lambda url: any(part in url for part in parts))
        except Error as error:
            words = await self.page.locator("body").inner_text()
            raise AssertionError(f"stopped at {self.page.url}:\n{words[:1500]}") from error

    async def inspect(self, name: str) -> None:
        """Photograph the page; the browser, and axe in each of its looks, have nothing against
        it."""
        await self.photograph(name, also=self._ask_axe)
        complaints = self.complaints_about(self.page.url.partition("?")[0])
        # That a page has an error status is noted as if it were something that the page loads.
        assert [text for text in complaints if not text.startswith(STATUS)] == []

    async def _ask_axe(self, look: str) -> None:
        found = await axe.complaints(self.page)
        assert found == [], f"{look}:\n" + "\n".join(found)

    async def photograph(
        self, name: str, *, also: Callable[[str], Awaitable[None]] | None = None
    ) -> list[Path]:
        """The page on a desktop and on a phone, in the light and in the dark.

        ``also`` is done in each of these looks.
        """
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        taken = []
        for size in VIEWPORTS:
            await self.page.set_viewport_size(_size(size))
            for scheme in ("light", "dark"):
                await self.page.emulate_media(color_scheme=cast("Any", scheme))
                await self.page.evaluate(DRAWN)
                taken.append(SCREENSHOTS / f"{name}-{size}-{scheme}.png")
                await self.page.screenshot(path=taken[-1], full_page=True)
                assert not await self.page.evaluate(
                    "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                ), f"{name} has to be scrolled sideways on a {size}"
                if also:
                    await also(taken[-1].stem)
        return taken


def _size(name: str) -> Any:
    width, height = VIEWPORTS[name]
    return {"width": width, "height": height}


Steps = Callable[[str], Awaitable[None]]
"""What a person does, from the address that their client opens in the browser."""


class OAuthByPerson(OAuth):
    """FastMCP's own OAuth helper, whose browser is ours."""

    def __init__(self, steps: Steps, **options: Any) -> None:
        store = cast("AsyncKeyValue", MemoryStore())
        super().__init__(token_storage=store, callback_timeout=60, **options)
        self._steps = steps
        self._authorization_url = ""

    async def redirect_handler(self, authorization_url: str) -> None:
        self._authorization_url = authorization_url

    async def callback_handler(self) -> AuthorizationCodeResult:
        """Listen first; what goes wrong for the person ends the wait at once."""
        called_back = asyncio.create_task(super().callback_handler())
        try:
            await until(lambda: listens(self.redirect_port))
            await self._steps(self._authorization_url)
            return await called_back
        finally:
            called_back.cancel()
