"""Attacks from one Redmine of a server on another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.forms import Browser
from tests.support.servers import Target, sandbox_target
from tests.support.sign_in import (
    REDIRECT_URI,
    authorization_url,
    begin,
    log_in_to_redmine,
    pkce,
    redeem,
    register,
    tokens_from,
)
from tests.support.signed_in import ping
from tests.test_several import Both, served_together
from tests.test_several import both as both  # a fixture

CROSSED = [
    "/intern/../kunden/mcp",
    "/intern/%2e%2e/kunden/mcp",
    "//intern/mcp",
    "/INTERN/mcp",
    "/intern//mcp",
    "/intern/kunden/mcp",
    "/.well-known/../intern/mcp",
    "/.well-known/mcp/intern",
    "/.well-known/metrics/intern",
    "/.well-known/oauth-protected-resource/intern/../kunden/mcp",
]


async def test_no_spelling_of_a_path_leads_to_another_redmine(both: Both) -> None:
    """The name is what the path begins with, letter by letter; nothing after it leads back."""
    for path in CROSSED:
        reader, writer = await asyncio.open_connection(*urlsplit(both.url).netloc.split(":"))
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        status = (await reader.readline()).split()[1]
        writer.close()
        await writer.wait_closed()

        assert status == b"404", path


# -- One browser ----------------------------------------------------------------------------------


@pytest.fixture
async def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Both]:
    """Two Redmines behind one server, each of which knows us by a secret of its own."""
    async with sandbox_target() as intern, sandbox_target() as kunden:
        other = with_secret(kunden, "the-secret-of-another-redmine")
        async with served_together(monkeypatch, tmp_path, intern=intern, kunden=other) as url:
            yield Both(url, intern, other)


def with_secret(target: Target, secret: str) -> Target:
    assert target.sandbox is not None
    applications = target.sandbox._doorkeeper.applications
    applications[target.client_id] = replace(applications[target.client_id], secret=secret)
    return replace(target, client_secret=secret)


async def test_sign_ins_to_two_at_once_do_not_disturb_each_other(apart: Both) -> None:
    """A browser has one set of cookies for a host. A sign-in to one Redmine that begins and ends
    while another is under way leaves it as it was, at each of its steps."""
    intern, kunden = f"{apart.url}/intern", f"{apart.url}/kunden"
    ours = await register(intern)
    verifier, challenge = pkce()
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(authorization_url(intern, ours, challenge))
        question = browser.page
        await allow_elsewhere(browser, kunden)
        browser.page = question
        form = {**browser.form("csrf_token").fields, "action": "approve"}
        allowed = await browser._http.post(str(question.url), data=form)
        await allow_elsewhere(browser, kunden)
        await browser.visit(allowed.headers["location"])
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived, browser.page.text[-1500:]
        code = browser.arrived.params["code"]
    tokens = tokens_from(await redeem(intern, ours, code, verifier), ours)

    assert (await ping(apart.at("intern"), tokens.access)).status_code == 200


async def allow_elsewhere(browser: Browser, server: str) -> None:
    """A whole sign-in in the same browser."""
    await browser.visit((await begin(server, await register(server), pkce()[1]))[0])
    await browser.submit(browser.form("csrf_token"), action="approve")
    await log_in_to_redmine(browser, "bob", "password1234")
    assert browser.arrived, browser.page.text[-1500:]
    browser.arrived = None


async def test_each_page_knows_its_own_people(apart: Both) -> None:
    """In one browser somebody can be alice at one Redmine and bob at the other."""
    async with Browser(REDIRECT_URI) as browser:
        for name, login in (("intern", "alice"), ("kunden", "bob")):
            await browser.visit(f"{apart.url}/{name}/connections")
            await browser.submit(browser.form("csrf_token"), action="approve")
            await log_in_to_redmine(browser, login, "password1234")
        for name, login in (("intern", "alice"), ("kunden", "bob")):
            await browser.visit(f"{apart.url}/{name}/connections")
            assert browser.url == f"{apart.url}/{name}/connections"
            assert login in browser.page.text
        cookies = [cookie.name for cookie in browser._http.cookies.jar]

    assert len(cookies) == len(set(cookies))
