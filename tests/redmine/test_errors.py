"""The error tree: sentences for people, codes for programs."""

from __future__ import annotations

import inspect

import pytest

from redmine_mcp_core.redmine import RedmineError, TimedOut, errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, RedmineError)
]


def test_the_tree_is_drawn_whole() -> None:
    """The drawing in the module's docstring leaves out no error."""
    drawing = inspect.getdoc(errors) or ""

    assert [
        cls.__name__
        for cls in CLASSES
        if f"{cls.__name__} " not in f"{drawing} \n" and f"{cls.__name__}\n" not in drawing
    ] == []


def test_codes_are_unique() -> None:
    """A program can tell any two errors apart."""
    codes = [cls.code for cls in CLASSES]

    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize(
    "error",
    [
        errors.Unreachable(),
        TimedOut(),
        TimedOut(sent=True),
        errors.Unauthorized(),
        errors.AccountLocked(),
        errors.Forbidden(),
        errors.MissingScope(["view_issues"]),
        errors.NotFound(),
        errors.Conflict(),
        errors.Invalid([]),
        errors.RateLimited(),
        errors.ServerError(500),
        errors.Unreadable(),
    ],
    ids=lambda error: error.code,
)
def test_each_error_is_a_sentence(error: RedmineError) -> None:
    """A person can read it: it begins with a capital and ends with a full stop."""
    sentence = str(error)

    assert sentence[0].isupper(), sentence
    assert sentence.endswith("."), sentence


def test_a_write_that_timed_out_may_have_been_done() -> None:
    """The person is told to look before trying again, as a second write would be a second issue."""
    assert "look before trying again" in str(TimedOut(sent=True))
    assert "look before trying again" not in str(TimedOut())
