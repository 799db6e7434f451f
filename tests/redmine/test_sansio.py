"""What Redmine's answers mean, and what may stand in a path or a query."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redmine_mcp_core.redmine import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    RedmineError,
    ServerError,
    Unauthorized,
    Unreadable,
    sansio,
)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Unreadable),
        (302, Unreadable),
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (406, Unreadable),
        (409, Conflict),
        (412, Unreadable),
        (422, Invalid),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_is_its_error(status: int, error: type[RedmineError]) -> None:
    """A status means the same error wherever it comes from, body or no body."""
    with pytest.raises(RedmineError) as caught:
        sansio.read(status, {}, b"")

    assert error is type(caught.value)


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_an_empty_answer_is_an_empty_object(body: bytes) -> None:
    """Redmine answers writes with 204 or with nothing at all."""
    assert sansio.read(200, {}, body) == {}


@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE html><title>Sign in</title>", b"[1]", b'"x"', b"\xff", b'{"a":' * 100_000],
    ids=["a page", "a list", "a text", "no text", "too deep"],
)
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    """A login page with status 200 is not taken for data, and its text is not repeated."""
    with pytest.raises(Unreadable) as caught:
        sansio.read(200, {}, body)

    assert "REDMINE_URL" in str(caught.value)
    assert "Sign in" not in str(caught.value)


def test_invalid_names_each_field() -> None:
    """What Redmine says of each field reaches the person, in Redmine's words."""
    body = json.dumps({"errors": ["Subject cannot be blank", "Tracker is invalid"]}).encode()

    with pytest.raises(Invalid) as caught:
        sansio.read(422, {}, body)

    assert caught.value.messages == ("Subject cannot be blank", "Tracker is invalid")
    assert "Subject cannot be blank; Tracker is invalid" in str(caught.value)


@pytest.mark.parametrize("body", [b"", b'{"errors": []}', b'{"errors": "no"}', b"<html>", b"[]"])
def test_invalid_without_reasons_says_so(body: bytes) -> None:
    """A stale lock version is a 422 with no message: the sentence does not end in a colon."""
    with pytest.raises(Invalid, match=r"^Redmine refused the values without saying why\.$"):
        sansio.read(422, {}, body)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("\u00b2", None),
    ],
)
def test_retry_after_is_seconds_or_nothing(header: str | None, seconds: float | None) -> None:
    """The wait is what the answer names in seconds; any other value is as none."""
    headers = {} if header is None else {"retry-after": header}

    with pytest.raises(RateLimited) as caught:
        sansio.read(429, headers, b"")

    assert seconds == caught.value.retry_after


@pytest.mark.parametrize("value", ["alpha", "a", "my-project_2", "Wiki", "1.0", 12, "12"])
def test_a_segment_is_itself(value: str | int) -> None:
    """Identifiers, ids and page names go into a path as they are."""
    assert str(value) == sansio.segment(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "%2e",
        "%2e%2e%2fusers",
        "a?b",
        "a#b",
        "a;b",
        "a b",
        "a\n",
        "a\x00",
        ".json",
        "alpha.",
        "a..b",
        "\uff0e\uff0e",
        "\u00fc",
        "\u0663",
    ],
)
def test_what_could_leave_its_segment_is_refused(value: str) -> None:
    """No input reaches another path of Redmine than the one the tool meant."""
    with pytest.raises(NotFound):
        sansio.segment(value)


def test_a_refused_segment_is_repeated_in_part_only() -> None:
    """The sentence stays short, however long the value was."""
    with pytest.raises(NotFound) as caught:
        sansio.segment("../" * 1000)

    assert len(str(caught.value)) < 120


@settings(deadline=None, database=None)
@given(st.text())
def test_a_segment_has_nothing_that_a_path_reads(value: str) -> None:
    """Whatever passes consists of letters, digits, dashes, underscores and inner dots."""
    try:
        passed = sansio.segment(value)
    except NotFound:
        return
    assert value == passed
    assert set(passed) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
    assert ".." not in passed
    assert passed.strip(".") == passed


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"limit": 25}, {"limit": "25"}),
        ({"q": None, "offset": 0}, {"offset": "0"}),
        ({"all_words": ""}, {"all_words": ""}),
        ({"titles_only": True, "open_issues": False}, {"titles_only": "1", "open_issues": "0"}),
        ({"include": ("journals", "children")}, {"include": "journals,children"}),
        ({"include": {"journals", "children"}}, {"include": "children,journals"}),
        ({"issue_id": [3, 1]}, {"issue_id": "3,1"}),
        ({"hours": 1.5}, {"hours": "1.5"}),
        ({"include": ()}, {"include": ""}),
    ],
)
def test_query_parameters_as_redmine_reads_them(
    params: dict[str, object], query: dict[str, str]
) -> None:
    """Nulls are absent, an empty string is sent, lists are joined, and sets have one order."""
    assert query == sansio.query(params)
