"""Over the network: what goes to Redmine, where it goes, and what is no answer of Redmine's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from redmine_mcp_core.redmine import Credential, Gateway, Unreachable, Unreadable
from tests.redmine.networks import URL, Script, gateway, ok


@pytest.mark.parametrize(
    "path",
    [
        "/issues.json",
        "issues.json",
        "//evil.example.com/issues.json",
        "@evil.example.com/issues.json",
        ":8443/issues.json",
        "https://evil.example.com/issues.json",
    ],
)
async def test_no_path_leads_away_from_redmine(path: str) -> None:
    """A credential goes to the Redmine it is for, at its address and below its path."""
    network = Script(ok())
    async with Gateway(f"{URL}/below", transport=network) as redmine:
        await redmine.request("GET", path, credential=Credential.api_key("secret"))

    (asked,) = network.seen
    assert asked.url.host == "redmine.example.com"
    assert asked.url.port is None
    assert asked.url.path.startswith("/below/")


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is told as such."""
    async with Gateway("http://127.0.0.1:1", deadline=2, backoff=0.001) as redmine:
        with pytest.raises(Unreachable):
            await redmine.request("GET", "/issues.json")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Sign in</html>"),
        httpx.Response(200, json=[1, 2]),
        httpx.Response(302, headers={"Location": "https://redmine.example.com/login"}),
    ],
    ids=["html", "list", "redirect"],
)
async def test_what_is_no_api_answer_is_unreadable(answer: httpx.Response) -> None:
    """A login page, a list, a redirect: not Redmine's API, asked once, and never followed."""
    network = Script(answer)

    async with gateway(network) as redmine:
        with pytest.raises(Unreadable):
            await redmine.request("GET", "/issues.json")

    assert len(network.seen) == 1


async def test_what_goes_over_the_wire(httpx_mock: HTTPXMock) -> None:
    """Path, query, body and credential arrive as given; the answer is the JSON object."""
    httpx_mock.add_response(
        url=f"{URL}/issues.json?include=journals%2Cchildren&limit=25",
        method="GET",
        match_headers={
            "Authorization": "Bearer t0ken",
            "Accept": "application/json",
            "User-Agent": "redmine-mcp",
        },
        json={"issues": []},
    )
    httpx_mock.add_response(
        url=f"{URL}/issues.json",
        method="POST",
        match_headers={"X-Redmine-API-Key": "k3y"},
        match_json={"issue": {"subject": "ü"}},
        status_code=201,
        json={"issue": {"id": 1}},
    )

    async with Gateway(f"{URL}/") as redmine:
        found = await redmine.request(
            "GET",
            "/issues.json",
            credential=Credential.bearer("t0ken"),
            params={"include": ["journals", "children"], "limit": 25, "offset": None},
        )
        made = await redmine.request(
            "POST",
            "/issues.json",
            credential=Credential.api_key("k3y"),
            json={"issue": {"subject": "ü"}},
        )

    assert found == {"issues": []}
    assert made == {"issue": {"id": 1}}


async def test_a_redmine_below_a_path(httpx_mock: HTTPXMock) -> None:
    """A Redmine at https://host/redmine is asked there and not at the root."""
    httpx_mock.add_response(url=f"{URL}/redmine/issues.json", json={})

    async with Gateway(f"{URL}/redmine") as redmine:
        assert await redmine.request("GET", "/issues.json") == {}


async def test_many_questions_share_one_connection(listen: Any) -> None:
    """Connections are kept: no question pays for a new one."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()

    async with Gateway(await listen(answer)) as redmine:
        for credential in (None, Credential.bearer("one"), Credential.api_key("two")):
            await redmine.request("GET", "/trackers.json", credential=credential)

    assert connections == 1


@pytest.mark.parametrize("make", [Credential.bearer, Credential.api_key])
def test_a_credential_shows_nothing(make: Callable[[str], Credential]) -> None:
    """Neither a log line nor a traceback can show one by accident."""
    credential = make("s3cret-canary")

    assert "s3cret-canary" not in repr(credential)
    assert "s3cret-canary" not in str(credential)
    assert "s3cret-canary" in credential.value
