"""Log lines: one stream, one format, and no secret in it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from redmine_mcp_core.observability.logs import HIDDEN, LogFormat, configure_logging, log, redact

CANARY = "c4naryC4naryC4nary"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization=bearer {CANARY}",
        f"Basic {CANARY}",
        f"GET /auth/callback?code={CANARY}&state={CANARY}",
        f"access_token={CANARY}",
        f'{{"refresh_token": "{CANARY}", "scope": "view_issues"}}',
        f"{{'client_secret': '{CANARY}'}}",
        f"code_verifier={CANARY}&grant_type=x",
        f"/consent?txn_id={CANARY}",
        f"csrf_token={CANARY}",
        f"api_key={CANARY}",
        f"/issues.json?key={CANARY}",
        f"redis://user:{CANARY}@host:6379/0",
        f"postgres://{CANARY}:{CANARY}@host/db",
    ],
)
def test_what_looks_like_a_secret_is_blanked_out(text: str) -> None:
    """Wherever in a line it stands."""
    assert CANARY not in redact(text)
    assert HIDDEN in redact(text)


def test_a_token_of_ours_is_blanked_out_anywhere() -> None:
    """A JWT is known by its shape."""
    assert redact(f"got {JWT} from a client") == f"got {HIDDEN} from a client"


@pytest.mark.parametrize(
    "text",
    [
        "tool_called tool=get_issue_details seconds=0.02",
        "https://redmine.example.com/issues/1.json?include=journals",
        "http://127.0.0.1:8000/mcp",
        "status code 503",
        "The keyboard is broken",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """A log that is blank is none."""
    assert redact(text) == text


@settings(deadline=None, database=None)
@given(st.text(), st.sampled_from(["code=", "Bearer ", "access_token=", '"refresh_token": "']))
def test_redaction_holds_whatever_stands_before(before: str, name: str) -> None:
    """A blank before the secret's name is enough for it to be seen."""
    assert CANARY not in redact(f"{before} {name}{CANARY}")


class Stream:
    """Where log lines go, and what came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._written = io.StringIO()
        self._monkeypatch = monkeypatch

    def configure(self, log_format: LogFormat, level: str = "info") -> None:
        # Not before the test runs: pytest puts its own stream there between set-up and test.
        self._monkeypatch.setattr(sys, "stderr", self._written)
        configure_logging(log_format=log_format, level=level)

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    names = ["fastmcp", "uvicorn", "uvicorn.access", "uvicorn.error", "httpx", "mcp", "httpx2"]
    names += ["httpcore", "httpcore2", "sse_starlette", "mcp.server"]
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    kept = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield Stream(monkeypatch)
    structlog.reset_defaults()
    for logger, level, handlers, propagate in kept:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_json_is_a_line_for_machines(stream: Stream) -> None:
    """Event, level, logger and time of day, in UTC."""
    stream.configure("json")

    log.info("tool_called", tool="look", seconds=0.5)

    (line,) = stream.lines
    assert (line["event"], line["level"], line["logger"]) == ("tool_called", "info", "redmine_mcp")
    assert (line["tool"], line["seconds"]) == ("look", 0.5)
    assert line["timestamp"].endswith("Z")


def test_console_is_a_line_for_people(stream: Stream) -> None:
    """Without colours where it is no terminal."""
    stream.configure("console")

    log.warning("plugin_left_out", plugin="broken")

    assert "plugin_left_out" in stream.text
    assert "plugin=broken" in stream.text
    assert "\x1b[" not in stream.text


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "fields",
    [
        {"token": CANARY},
        {"access_token": CANARY},
        {"Authorization": CANARY},
        {"password": CANARY},
        {"client_secret": CANARY},
        {"api_key": CANARY},
        {"cookie": CANARY},
        {"code": CANARY},
        {"code_verifier": CANARY},
        {"headers": {"authorization": f"Bearer {CANARY}"}},
        {"params": [{"refresh_token": CANARY}]},
        {"url": f"https://example.com/?code={CANARY}"},
        {"error": f"Bearer {CANARY}"},
    ],
    ids=str,
)
def test_no_field_shows_a_secret(
    stream: Stream, log_format: LogFormat, fields: dict[str, Any]
) -> None:
    """By its name or by its shape, however deep it lies."""
    stream.configure(log_format)

    log.info("something", **fields)

    assert CANARY not in stream.text
    assert "something" in stream.text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_library_shows_none_either(stream: Stream, log_format: LogFormat) -> None:
    """Its lines pass the same filter, arguments, traceback and all."""
    stream.configure(log_format)
    library = logging.getLogger("fastmcp.server.auth")

    library.warning("exchange of code=%s failed", CANARY)
    try:
        raise ValueError(f"access_token={CANARY}")
    except ValueError:
        library.exception("refresh failed")

    assert CANARY not in stream.text
    assert "exchange of code=" in stream.text
    assert "refresh failed" in stream.text


def test_the_least_important_lines_are_left_out(stream: Stream) -> None:
    """Below the level that was set nothing is written, by us or by a library."""
    stream.configure("json", "warning")

    log.info("quiet")
    logging.getLogger("fastmcp").info("quiet")
    log.error("loud")

    assert [line["event"] for line in stream.lines] == ["loud"]


@pytest.mark.parametrize("name", ["uvicorn.access", "httpx", "httpx2", "httpcore"])
def test_libraries_write_no_line_per_request(stream: Stream, name: str) -> None:
    """Their addresses carry codes, and what they say ours say as well."""
    stream.configure("json", "debug")

    logging.getLogger(name).info("GET /auth/callback?code=x")

    assert stream.text == ""


def test_configured_twice_a_line_is_written_once(stream: Stream) -> None:
    """No line is doubled."""
    stream.configure("json")
    stream.configure("json")

    log.info("once")

    assert len(stream.lines) == 1


def test_a_warning_that_settings_make_untrue_is_left_out(stream: Stream) -> None:
    """FastMCP warns of http cookies on loopback, where they are meant to be."""
    stream.configure("json")

    logging.getLogger("fastmcp.server.auth").warning("Using non-secure cookies for development")

    assert stream.text == ""
