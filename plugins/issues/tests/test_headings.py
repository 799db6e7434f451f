"""What rows of a list have in common is said once, and only where no reader can mistake it."""

from __future__ import annotations

from redmine_mcp_issues.headings import NOTHING, Usual, beyond, joined, shared

BUG = ("Alpha", "New", "Bug", "Low", "Alice Ace")
FEATURE = ("Alpha", "Started", "Feature", "Low", "Bob Builder")


def test_a_tracker_may_have_a_usual_status_of_its_own() -> None:
    """Where most of its issues stand there; what stands elsewhere tells so."""
    rows = [BUG] * 5 + [FEATURE] * 3 + [("Alpha", "New", "Feature", "Low", "Alice Ace")]

    usual = Usual.of(rows, shared(rows))

    assert usual.text() == "New, Bug, Alice Ace"
    assert Usual.of([*rows, FEATURE], shared(rows)).text() == (
        "New, Bug, Alice Ace; Feature: Started"
    )


def test_a_row_tells_how_it_differs() -> None:
    """From what all have, and from what is usual for its tracker."""
    rows = [BUG] * 5 + [FEATURE] * 4
    usual = Usual.of(rows, shared(rows))

    told = [joined(beyond(row, shared(rows), usual.of_row(row))) for row in (BUG, FEATURE)]
    late = ("Alpha", "New", "Feature", "Low", "Alice Ace")

    assert told == ["", "Feature, Bob Builder"]
    assert joined(beyond(late, shared(rows), usual.of_row(late))) == "New, Feature"


def test_what_two_columns_may_hold_is_not_called_usual() -> None:
    """A tracker and a status of one name could not be told apart."""
    rows = [("Alpha", "Review", "Bug", "Low", "Alice"), ("Beta", "New", "Review", "Low", "Bob")] * 4

    usual = Usual.of(rows, shared(rows))

    assert "Review" not in usual.text()


def test_one_row_has_nothing_in_common_with_others() -> None:
    """But its status, which may be a heading."""
    assert shared([BUG]) == (None, "New", None, None, None)
    assert Usual.of([BUG], NOTHING) == Usual()
