"""Log lines: one stream, one format, and no secret in it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redmine_mcp_core.observability.audit import to_log
from redmine_mcp_core.observability.logs import LogFormat, log, redact
from redmine_mcp_core.observability.quoting import HIDDEN
from tests.support.logs import Stream

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
        f"redis://:{CANARY}@host:6379/0",
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


def test_an_audit_line_is_written_whatever_the_level(stream: Stream) -> None:
    """Who quiets the log does not quiet the audit trail."""
    stream.configure("json", "error")

    to_log({"action": "tool_called", "user_id": 5})

    (line,) = stream.lines
    assert (line["event"], line["user_id"], line["logger"]) == ("audit", 5, "redmine_mcp.audit")


def library(folder: Path, source: str) -> dict[str, Any]:
    """What a module of a library defines."""
    module = folder / "module.py"
    module.write_text(source)
    defined: dict[str, Any] = {}
    exec(compile(source, module, "exec"), defined)
    return defined


def test_a_token_store_tells_its_fields(stream: Stream) -> None:
    """It knows nothing of the server, and logs as libraries do; its lines are events all the same.

    What looks like a secret is blanked out there, too.
    """
    stream.configure("json")

    logging.getLogger("redmine_mcp_core.storage.upkeep").warning(
        "store_not_swept", extra={"problem": f"redis://user:{CANARY}@host is away"}
    )

    (line,) = stream.lines
    assert line["event"] == "store_not_swept"
    assert line["problem"] == f"redis://{HIDDEN}@host is away"


QUOTING = """
import asyncio
import gc
import logging
def fail(name):
    log = logging.getLogger("fastmcp.server")
    log.error(f"Error calling tool {name!r} (status=401)", extra={"name_of_it": name})
    log.error("Refused %s: %s", "invalid_grant", name)
"""


def test_a_library_shows_its_own_words_alone(stream: Stream, tmp_path: Path) -> None:
    """What it quotes is somebody's, whatever it looks like; extra fields are dropped."""
    stream.configure("json")

    library(tmp_path, QUOTING)["fail"]("Salaries of 2026: alice@example.com/4711")

    told, refused = stream.lines
    assert told["event"] == "Error calling tool '*** *** ***: ***@***.***/***' (status=401)"
    assert refused["event"].startswith("Refused invalid_grant: *** ***")
    assert "name_of_it" not in told
    assert "alice" not in stream.text
