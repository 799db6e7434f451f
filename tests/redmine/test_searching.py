"""Which words of a query Redmine's search looks for."""

from __future__ import annotations

import pytest

from redmine_mcp_core import not_searched, search_words


@pytest.mark.parametrize(
    ("query", "taken", "dropped"),
    [
        ("login fails", ["login", "fails"], []),
        ('"login fails" C++', ["login fails", "C++"], []),
        ("a login a", ["login"], ["a"]),
        ("登 录", ["登", "录"], []),
        ("one two three four five six", ["one", "two", "three", "four", "five"], ["six"]),
    ],
)
def test_words_that_redmine_drops(query: str, taken: list[str], dropped: list[str]) -> None:
    """Those of one letter, but for Chinese ones, and all beyond the fifth."""
    assert search_words(query) == (taken, dropped)


def test_a_word_that_was_dropped_is_told() -> None:
    """Nobody should think that it occurs in what was found."""
    assert not_searched(["a", "six"]).startswith("Not searched for: “a”, “six”. ")
    assert not_searched([]) == ""
