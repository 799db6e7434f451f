"""The pages by themselves: their words, their headers, and what a client's name cannot do."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.pages import ClientName, Connection, words
from redmine_mcp_core.auth.pages.permissions import spoken
from redmine_mcp_core.auth.pages.texts import ENGLISH
from redmine_mcp_core.auth.pages.words import Words
from redmine_mcp_core.redmine import Unreachable

PIRATE = "en-pirate"
SCOPES = ["view_issues", "view_private_notes", "add_issues", "delete_issues"]
NUMBERS = ClientName("1234", None)
VOUCHED_FOR = ClientName("1234", "5678")
"""Values without a letter, so that every letter on a page is one of ours."""


def request(language: str = "") -> Request:
    headers = [(b"accept-language", language.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


def every_page(asked: Request, client: ClientName = NUMBERS) -> Iterator[HTMLResponse]:
    """Each page there is, in each of its states."""
    consent: dict[str, Any] = {
        "client": client,
        "redirect_uri": "1",
        "redmine_url": "//2",
        "txn_id": "3",
        "csrf_token": "4",
    }
    own = {name: consent[name] for name in ("redmine_url", "txn_id", "csrf_token")}
    both = ["oauth", "key-login"]
    held = [
        Connection("5", client, scopes, way, 1.0, 2.0)
        for way, scopes in zip(both, (SCOPES, SCOPES[:2]), strict=True)
    ] + [Connection("6", VOUCHED_FOR, SCOPES[:3], "oauth", 1.0, 2.0)]
    reader: dict[str, Any] = {"name": "7", "login": "8", "form_token": "9"}
    yield pages.consent(asked, ways=both, scopes=SCOPES, **consent)
    yield pages.consent(asked, ways=["oauth"], scopes=SCOPES[:2], device_code="10", **consent)
    yield pages.consent(asked, ways=both, scopes=SCOPES, **(consent | {"client": VOUCHED_FOR}))
    yield pages.own_sign_in(asked, ways=both, **own)
    for refused in (False, True):
        yield pages.key_login(asked, "//2", "3", refused=refused)
    for problem in (None, "unknown", "too_many"):
        yield pages.device_code(asked, problem=problem)
    yield pages.device_question(asked, client=client, code="10", address="11", form_token="9")
    yield pages.device_signed_in(asked, client=client, name="7", connections="12")
    yield pages.device_refused(asked)
    yield pages.connections(asked, held=held, **reader)
    yield pages.connections(asked, held=[], ended=True, **reader)
    yield pages.signed_out(asked)
    for status in (400, 403, 429, 500, 503):
        yield pages.problem(asked, status)
    for why in ("denied", "nothing_allowed", "unknown_client"):
        for then in ("client", "device", "connections"):
            yield pages.problem(asked, 400, why, then=then)
    yield pages.problem(asked, 503, "client_unasked")


SAID = {"alt", "aria-label", "placeholder", "title"}


class Spoken(HTMLParser):
    """What a page says, aloud or to a screen reader."""

    def __init__(self, page: HTMLResponse) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.language: str | None = None
        self._silent = False
        self.feed(bytes(page.body).decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag == "style"
        self.texts += [value or "" for name, value in attrs if name in SAID]
        if tag == "html":
            self.language = dict(attrs)["lang"]

    def handle_endtag(self, _tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


@pytest.fixture
def pirate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second language: each text of the first, without a letter of its alphabet."""

    def said(text: str) -> str:
        return "".join(
            re.sub("[A-Za-z]", "\N{SKULL AND CROSSBONES}", words)
            + (f"{{{place}}}" if place else "")
            for words, place, _, _ in string.Formatter().parse(text)
        )

    catalogue = {name: said(text) for name, text in ENGLISH.items()}
    monkeypatch.setitem(words.CATALOGUES, PIRATE, catalogue)


@pytest.mark.usefixtures("pirate")
def test_every_word_is_in_the_catalogue() -> None:
    """In another language no letter is left of this one, title and labels included."""
    for page in every_page(request(PIRATE)):
        said = Spoken(page)

        assert said.language == PIRATE
        assert not re.findall("[A-Za-z]+", "".join(said.texts))


def test_every_text_is_used() -> None:
    """The catalogue holds no text that no page says."""
    asked: set[str] = set()

    class Listening(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            asked.add(name)
            return super().__getitem__(name)

    words.CATALOGUES["listening"] = Listening(ENGLISH)
    try:
        for _ in every_page(request("listening")):
            pass
    finally:
        del words.CATALOGUES["listening"]

    assert {name for name in ENGLISH if not name.startswith(("scope.", "front."))} - asked == set()


@pytest.mark.parametrize("language", words.CATALOGUES)
def test_a_catalogue_is_complete(language: str) -> None:
    """Each has every text of the English one and no other, with no other places to fill in."""

    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    catalogue = words.CATALOGUES[language]

    assert catalogue.keys() == ENGLISH.keys()
    for name, text in catalogue.items():
        assert places(text) <= places(ENGLISH[name]), name


@pytest.mark.usefixtures("pirate")
@pytest.mark.parametrize(
    ("accepted", "spoken_language"),
    [
        ("", "en"),
        ("en", "en"),
        ("EN-Pirate", PIRATE),
        ("de, en-pirate;q=0.5, en;q=0.4", PIRATE),
        ("en-pirate;q=0.3, en-GB;q=0.8", "en"),
        ("en-pirate-x-sea", PIRATE),
        ("en-pirate;q=0, de", "en"),
        ("en-pirate;q=much, *", "en"),
    ],
)
def test_the_language_is_the_readers(accepted: str, spoken_language: str) -> None:
    """The best of those there are, as the browser weighs them (RFC 9110, section 12.5.4)."""
    assert Words.for_reader(request(accepted)).language == spoken_language


def test_no_page_lets_a_value_be_markup() -> None:
    """A client's name, whatever it holds, is text."""
    evil = ClientName('"><script>alert(1)</script>', "<b>host</b>")
    for page in every_page(request(), evil):
        html = bytes(page.body).decode()

        assert "<script" not in html
        assert "<b>host" not in html


@pytest.mark.parametrize(
    "name",
    [
        "Desk\u202e evil",  # turns what follows round
        "Desk\n\nYou are safe",
        "Desk" + "\u200b" * 50,
        "x" * 5000,
        "Desk {redmine} %s $client",
    ],
)
def test_a_name_stays_a_name(name: str) -> None:
    """Short, on one line, in a look and a direction of its own, and nothing to be filled in."""
    html = ClientName(name, None).__html__()
    inner = html.removeprefix('<bdi class="name">').removesuffix("</bdi>")

    assert html == f'<bdi class="name">{inner}</bdi>'
    assert len(inner) <= 61
    assert "\n" not in inner
    assert "\u202e" not in inner
    assert "\u200b" not in inner


def test_a_title_holds_our_words_only() -> None:
    """A browser's tab sets nothing apart, so no client's name stands there."""
    for page in every_page(request(), ClientName("Redmine security", "host.example")):
        title = re.search("<title>(.*?)</title>", bytes(page.body).decode())

        assert title
        assert "security" not in title[1]


def test_the_headers_let_nothing_in() -> None:
    """One style sheet, by its hash; no script, no frame, no cache, no referrer for others."""
    for page in every_page(request()):
        policy = page.headers["content-security-policy"]

        assert policy.startswith("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; ")
        assert re.search(r"style-src 'sha256-[\w+/]{43}='$", policy)
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-frame-options"] == "DENY"
        assert "style=" not in bytes(page.body).decode()


def test_a_client_that_only_reads_leaves_no_choice() -> None:
    """There is nothing to take away from it that would leave anything."""
    asked = request()
    told = {"redirect_uri": "1", "redmine_url": "//2", "txn_id": "3", "csrf_token": "4"}
    page = pages.consent(asked, client=NUMBERS, ways=["oauth"], scopes=SCOPES[:2], **told)

    assert b'name="limit"' not in page.body
    assert b'<dl class="permissions reading">' in page.body


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("add_issue_notes", "comment on issues"),
        ("view_crystal_balls", "crystal balls"),
        ("delete_crystal_balls", "crystal balls"),
        ("polish_crystal_balls", "polish crystal balls"),
    ],
)
def test_a_permission_is_told_in_plain_words(scope: str, said: str) -> None:
    """One that nobody put into words is told by its name, without the underscores."""
    assert spoken(Words("en"), scope) == said


def test_what_redmine_is_to_blame_for_is_told() -> None:
    """In the words of that error, marked as English in every language."""
    page = pages.problem(request(), 503, Unreachable())

    assert b'<span lang="en">Redmine cannot be reached just now' in page.body
