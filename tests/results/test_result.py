"""A typed result: lean as data, readable as text."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from redmine_mcp_core import Result


class Ticket(Result):
    id: int
    assignee: str | None = None
    tags: tuple[str, ...] = ()
    done: int = 0


def test_what_is_as_usual_is_left_out() -> None:
    """Nulls and defaults cost tokens and say nothing."""
    assert Ticket(id=1).data() == {"id": 1}
    assert Ticket(id=1, assignee="alice", tags=("a",)).data() == {
        "id": 1,
        "assignee": "alice",
        "tags": ["a"],
    }


def test_a_result_has_no_more_than_it_declares() -> None:
    """A misspelt field is an error and not a field that nobody knows."""
    with pytest.raises(ValidationError):
        Ticket(id=1, assigne="alice")  # type: ignore[call-arg]


def test_a_result_does_not_change() -> None:
    """What was read is what is returned."""
    with pytest.raises(ValidationError):
        Ticket(id=1).id = 2


def test_a_result_must_say_its_text() -> None:
    """There is no default text, since it would be the same JSON again."""
    with pytest.raises(NotImplementedError):
        Ticket(id=1).text()
