"""A page of a longer list: where in the whole it stands, and how to go on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from redmine_mcp_core import page_of
from redmine_mcp_core.testing import unmarked


@pytest.mark.parametrize(
    ("shown", "page", "place"),
    [(2, 1, "1-2 of 5; next: page=2"), (2, 2, "3-4 of 5; next: page=3"), (1, 3, "5-5 of 5")],
)
def test_it_tells_its_place_and_the_next_one(shown: int, page: int, place: str) -> None:
    """The last page names no other."""
    text = page_of(["a", "b"][:shown], shown=shown, total=5, page=page, size=2)

    assert text.splitlines()[-1] == place


def test_what_strangers_wrote_stands_between_marks() -> None:
    """What is said of the page stands behind them, and what is empty is not said."""
    text = page_of(["Pages:", "  a"], shown=1, total=1, page=1, size=2, said=["", "2 h in all"])

    assert unmarked(text) == "Pages:\n  a\n1-1 of 1; 2 h in all"
    assert re.fullmatch(r"«\w+ .*\nPages:\n  a\n\w+»\n1-1 of 1; 2 h in all", text)


def test_a_page_past_the_last_is_told_as_such() -> None:
    """No line is asked for, since there is nothing to make one of."""

    def lines() -> Iterator[str]:
        raise AssertionError
        yield

    assert page_of(lines(), shown=0, total=5, page=4, size=2) == (
        "5 in all, but page 4 is past the last."
    )
