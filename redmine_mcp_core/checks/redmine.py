"""What a Redmine shows of itself to somebody who has no account there.

Measured on Redmine 6.1.5, with its REST API on and off; what older ones lack is the sign of them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn
from redmine_mcp_core.checks.network import SECONDS, way_to

CLOCKS_APART = 60
"""Seconds. Sign-ins are bounded in minutes, and tokens of Redmine's in hours."""
_REST = "/users/current.json"
_REALM = 'realm="Redmine API"'
_SUBFOLDER = "redmine"


@dataclass
class Look:
    """What was seen."""

    url: str
    answers: bool = False
    """Whether a Redmine answers there."""
    rest: bool = False
    oauth: bool = False
    """Whether it has OAuth, which came with 6.1."""
    moved_to: str = ""
    """Where it is instead."""


def client() -> httpx.AsyncClient:
    """A client that asks as the server does, and follows nothing."""
    return httpx.AsyncClient(timeout=SECONDS, headers={"User-Agent": "redmine-mcp doctor"})


async def look_at(look: Look) -> AsyncIterator[Finding]:
    """Look at a Redmine from the outside in; what was seen is in ``look`` afterwards."""
    async for finding in way_to(look.url):
        yield finding
        if finding.state == "fail":
            return
    async with client() as http:
        try:
            async for finding in _findings(http, look):
                yield finding
        except httpx.HTTPError as error:
            yield fail(
                f"{look.url} breaks off ({type(error).__name__})",
                "Look whether Redmine is running, and into the log of the proxy before it.",
            )


async def _findings(http: httpx.AsyncClient, look: Look) -> AsyncIterator[Finding]:
    answer = await http.get(f"{look.url}{_REST}")
    if not _is_redmine(answer):
        look.moved_to = _redirected(answer) or await _elsewhere(http, look.url)
        yield _no_redmine(look, answer)
        return
    look.answers = True
    yield ok(f"Redmine answers at {look.url}")
    look.rest = answer.status_code == 401
    if look.rest:
        yield ok("Its REST API is on")
    else:
        yield fail(
            "Its REST API is off",
            "Tick Administration > Settings > API > Enable REST web service. Without it, "
            "Administration > Applications is hidden and every token is ignored.",
        )
    info = await http.get(f"{look.url}/oauth/token/info")
    look.oauth = info.status_code == 401 and "invalid_token" in info.text
    yield ok(f"It is {await _version(http, look)}")
    if finding := clock(info):
        yield finding


def _is_redmine(answer: httpx.Response) -> bool:
    """401 with that realm where REST is on; 403 without a word, in JSON, where it is off
    (app/controllers/application_controller.rb, ``require_login``)."""
    if answer.status_code == 401:
        return _REALM in answer.headers.get("www-authenticate", "")
    is_json = "json" in answer.headers.get("content-type", "")
    return answer.status_code == 403 and is_json and not answer.content.strip()


def _redirected(answer: httpx.Response) -> str:
    """Where the whole Redmine is said to be, if that is what the redirect says."""
    if not answer.is_redirect:
        return ""
    where = urljoin(str(answer.url), answer.headers.get("location", ""))
    return where.removesuffix(_REST) if where.endswith(_REST) else ""


async def _elsewhere(http: httpx.AsyncClient, url: str) -> str:
    """A Redmine higher up in the path, for an address copied out of a browser, or below it."""
    for candidate in _candidates(url):
        answer = await http.get(f"{candidate}{_REST}")
        if _is_redmine(answer):
            return candidate
    return ""


def _candidates(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.strip("/").split("/")
    for end in range(len(path) - 1, -1, -1):
        yield "/".join([root, *path[:end]])
    if _SUBFOLDER not in path:
        yield f"{root}/{_SUBFOLDER}"


def _no_redmine(look: Look, answer: httpx.Response) -> Finding:
    if look.moved_to:
        return fail(f"Redmine is not at {look.url}", f"Set REDMINE_URL to {look.moved_to}.")
    if answer.status_code in {401, 403}:
        return fail(
            f"Something before Redmine asks for a password or refuses us ({answer.status_code})",
            "Let requests from this machine pass to /oauth and to addresses that end in .json.",
        )
    if answer.is_redirect:
        where = urlsplit(urljoin(look.url, answer.headers.get("location", ""))).netloc
        return fail(
            f"{look.url} sends us on to {where}, as a single sign-on before Redmine does",
            "Let requests from this machine pass to /oauth and to addresses that end in .json.",
        )
    return fail(
        f"What answers at {look.url} is no Redmine (HTTP {answer.status_code})",
        "Take the address of its home page, with the folder if it has one: "
        "https://example.com/redmine.",
    )


async def _version(http: httpx.AsyncClient, look: Look) -> str:
    """As exactly as it shows without a login, which is not to the last digit."""
    if look.oauth:
        return "Redmine 6.1 or newer, with OAuth (its exact version shows to administrators only)"
    page = await http.get(f"{look.url}/login")
    # Propshaft came with 6.0 (https://www.redmine.org/issues/39111).
    age = "Redmine 6.0" if "/assets/application-" in page.text else "older than Redmine 6.0"
    return f"{age}, so it has no OAuth"


def clock(answer: httpx.Response) -> Finding | None:
    """None where nothing before Redmine tells the time; Redmine itself does not."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    apart = abs(theirs - time.time())
    if apart < CLOCKS_APART:
        return ok("Its clock and ours agree")
    return warn(f"Its clock and ours are {apart:.0f} seconds apart", "Have both set theirs by NTP.")
