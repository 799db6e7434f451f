"""Errors and crashes in the log: where they happened, and nothing of what they say."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings

import pytest

from redmine_mcp_core.observability.logs import LogFormat, log, log_crashes
from tests.support.logs import Stream

CANARY = "c4naryC4naryC4nary"


class Told(Exception):
    """An error that says of itself that it holds nothing of anybody's."""

    safe_to_log = True


def fail(kind: str) -> None:
    match kind:
        case "message":
            raise KeyError(CANARY)
        case "cause":
            try:
                raise ValueError(CANARY)
            except ValueError as error:
                raise RuntimeError("it did not work: " + CANARY) from error
        case "context":
            try:
                raise ValueError(CANARY)
            except ValueError:
                raise RuntimeError(CANARY)  # noqa: B904
        case "group":
            raise ExceptionGroup(CANARY, [ValueError(CANARY), KeyError(CANARY)])
        case "note":
            noted = ValueError(CANARY)
            noted.add_note(CANARY)
            raise noted
        case _:
            password = CANARY
            raise TypeError(f"{password!r} is no number")


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("kind", ["message", "cause", "context", "group", "note", "local"])
def test_a_traceback_shows_places_and_no_values(
    stream: Stream, log_format: LogFormat, kind: str
) -> None:
    """By construction: a text that looks like none of the secrets we know is not there either."""
    stream.configure(log_format)

    try:
        fail(kind)
    except Exception:
        log.exception("request_failed")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    assert CANARY not in stream.text
    assert stream.text.count("in fail") >= 2
    assert "Error" in stream.text


def test_a_message_that_is_safe_is_shown(stream: Stream) -> None:
    """Of the operating system, and of errors that say so themselves."""
    stream.configure("json")

    for error in (Told("the key is missing"), FileNotFoundError(2, "No such file", CANARY)):
        try:
            raise error
        except Exception:  # noqa: BLE001
            log.exception("request_failed")

    told, missing = (line["exception"].splitlines()[-1] for line in stream.lines)
    assert told == "Told: the key is missing"
    assert missing == "FileNotFoundError: No such file"
    assert CANARY not in stream.text


def test_the_way_an_error_came_is_shown(stream: Stream) -> None:
    """Cause first, then what came of it."""
    stream.configure("json")

    try:
        fail("cause")
    except RuntimeError:
        log.exception("request_failed")

    (line,) = stream.lines
    shown = line["exception"]
    assert shown.index("ValueError") < shown.index("which led to:") < shown.index("RuntimeError")


def catch_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, hook in (
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (warnings, "showwarning"),
    ):
        monkeypatch.setattr(owner, hook, getattr(owner, hook))
    log_crashes()


def test_a_warning_is_a_log_line(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind and its place: what Python or a library warns of, it quotes."""
    stream.configure("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        catch_crashes(monkeypatch)
        warnings.warn(f"Expected int, got {CANARY}", UserWarning, stacklevel=1)

    (line,) = stream.lines
    assert (line["event"], line["category"]) == ("python_warning", "UserWarning")
    assert line["where"].startswith(__file__)
    assert CANARY not in stream.text


def test_a_line_that_cannot_be_written_is_lost_alone(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A full disk, or a library's own mistake: nothing is printed past the filters, and who logs
    goes on."""
    stream.configure("json")
    monkeypatch.setattr(logging.root.handlers[0], "stream", None)
    with pytest.raises(KeyError):
        fail("message")
    try:
        fail("message")
    except KeyError:
        log.exception("request_failed")
    logging.getLogger("mcp.server").warning("%d", CANARY)

    assert capfd.readouterr() == ("", "")


def test_a_crash_is_a_log_line(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the process and of a thread: what Python would print holds messages and values."""
    stream.configure("json")
    catch_crashes(monkeypatch)

    try:
        fail("message")
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    thread = threading.Thread(target=fail, args=["cause"])
    thread.start()
    thread.join()

    assert [line["event"] for line in stream.lines] == ["crashed", "crashed"]
    assert all("in fail" in line["exception"] for line in stream.lines)
    assert CANARY not in stream.text


async def test_an_error_that_nobody_awaited_shows_no_value(stream: Stream) -> None:
    """asyncio writes down the error of a lost task with all it says."""
    stream.configure("json")

    async def lost() -> None:
        raise KeyError(CANARY)

    task = asyncio.create_task(lost())
    await asyncio.wait([task])
    del task
    gc.collect()

    assert "Task exception was" in stream.text
    assert CANARY not in stream.text
