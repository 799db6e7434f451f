"""bulk_update_issues: looked at first, never without a filter, a result for each issue."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from redmine_mcp_issues import bulk

from redmine_mcp_core.testing import text_of

BULK = "bulk_update_issues"


async def priorities(redmine: Any, *ids: int) -> list[str]:
    return [(await redmine.issue(number))["priority"]["name"] for number in ids]


async def test_it_only_looks_unless_told_otherwise(redmine: Any) -> None:
    """What would change is told, like issues in one line, with the call that does it."""
    async with redmine.as_() as call:
        result = await call(BULK, change={"priority": "High"}, issue_ids=[12, 11, 13, 999, 11])

    lines = text_of(result).splitlines()
    assert lines[0] == (
        "Dry run: nothing was written. To do it: issue_ids=[11, 13], dry_run=false."
    )
    assert lines[2:-1] == [
        "#12 unchanged",
        "#11, #13 would change: Priority: Normal → High",
        "#999 failed: not done: Issue #999 does not exist, or you may not see it.",
    ]
    assert not [asked for asked in redmine.writes if not asked.startswith("PUT")], (
        "a dry run asks Redmine's validation with a stale write, and nothing else"
    )
    assert await priorities(redmine, 11, 13) == ["Normal", "Normal"]


async def test_every_issue_has_its_result(redmine: Any) -> None:
    """One that fails keeps no other from being changed."""
    async with redmine.as_() as call:
        result = await call(
            BULK, change={"priority": "High"}, issue_ids=[11, 12, 13, 999], dry_run=False
        )

    assert text_of(result).splitlines()[0] == "3 of 4 written."
    assert [(one["id"], one["outcome"]) for one in result.structured_content["issues"]] == [
        (11, "updated"),
        (12, "unchanged"),
        (13, "updated"),
        (999, "failed"),
    ]
    assert await priorities(redmine, 11, 12, 13) == ["High"] * 3


async def test_what_redmine_drops_is_told_issue_by_issue(redmine: Any) -> None:
    """Redmine says 204 to a reporter who may comment and not edit."""
    change = {"priority": "Low", "notes": "x"}
    async with redmine.as_("carol") as call:
        result = await call(BULK, change=change, issue_ids=[1, 11], dry_run=False)

    assert "#1, #11 updated: note added · silently dropped: Priority → Low" in text_of(result)


async def test_a_family_is_changed_at_once(redmine: Any) -> None:
    """Parents and children, which Redmine saves with each other, do not get in each other's way."""
    family = [1, 2, 3, 4, 5]
    async with redmine.as_() as call:
        result = await call(BULK, change={"notes": "All of you."}, issue_ids=family, dry_run=False)

    assert text_of(result).splitlines()[0] == "5 of 5 written."
    for number in family:
        assert (await redmine.issue(number))["journals"][-1]["notes"] == "All of you."


class Stale(httpx.AsyncBaseTransport):
    """A Redmine that has just saved the issue with another one, once."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.url.path == "/issues/11.json" and not self.refused:
            self.refused += 1
            return httpx.Response(422, json={"errors": []})
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_an_issue_that_was_saved_with_another_is_written_after_them(redmine: Any) -> None:
    """Redmine refuses it without a reason, and has written nothing: so it is tried once more."""
    async with redmine.as_() as call:
        way = redmine.way.inner = Stale(redmine.way.inner)
        result = await call(BULK, change={"notes": "x"}, issue_ids=[11, 36], dry_run=False)

    assert way.refused == 1
    assert text_of(result).splitlines()[0] == "2 of 2 written."
    assert sorted(redmine.writes) == [f"PUT /issues/{number}.json" for number in (11, 11, 36)]
    assert redmine.writes[-1] == "PUT /issues/11.json"
    assert [one["id"] for one in result.structured_content["issues"]] == [11, 36]


async def test_a_filter_finds_the_issues(redmine: Any) -> None:
    """All pages of it, as list_issues would."""
    async with redmine.as_() as call:
        result = await call(
            BULK,
            change={"priority": "Low"},
            filter={"project": "alpha", "status": "any", "fields": {"author": "me"}},
        )

    answer = await redmine.ask(
        "alice", "GET", "/projects/alpha/issues.json?status_id=*&author_id=5&limit=100"
    )
    found = {one["id"] for one in result.structured_content["issues"]}
    assert found == {issue["id"] for issue in answer["issues"]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"issue_ids": [1]}, "change: Missing required argument"),
        ({"change": {}, "issue_ids": [1]}, "change is empty"),
        ({"change": {"notes": "x"}}, "Give either issue_ids or filter."),
        ({"change": {"notes": "x"}, "filter": {}}, "Give either issue_ids or filter."),
        ({"change": {"notes": "x"}, "filter": {"project": "alpha"}}, "filter is empty"),
        ({"change": {"notes": "x"}, "filter": {"status": ""}}, "filter is empty"),
        ({"change": {"notes": "x"}, "filter": {"stats": "New"}}, "filter.stats"),
        ({"change": {"prio": "x"}, "issue_ids": [1]}, "change.prio"),
        ({"change": {"issue_id": 2}, "issue_ids": [1]}, "change.issue_id"),
        ({"change": {"done_ratio": 101}, "issue_ids": [1]}, "change.done_ratio"),
        ({"change": {"notes": "x"}, "issue_ids": list(range(1, 102))}, "issue_ids"),
    ],
    ids=str,
)
async def test_nothing_is_asked_of_redmine_for_a_bad_request(
    redmine: Any, arguments: dict[str, Any], problem: str
) -> None:
    """Above all not for an empty filter, which would be every issue there is."""
    async with redmine.as_() as call:
        result = await call(BULK, **{"dry_run": False, **arguments})

    assert problem in text_of(result)
    assert redmine.asked == []


async def test_too_many_are_refused(redmine: Any, monkeypatch: Any) -> None:
    """With how many there are, before one of them is touched."""
    monkeypatch.setattr(bulk, "MOST_ISSUES", 3)
    async with redmine.as_() as call:
        result = await call(
            BULK, change={"notes": "x"}, filter={"project": "alpha", "status": "open"}
        )

    assert "issues fit, and 3 are the most at once." in text_of(result)
    assert redmine.writes == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_client_hears_how_far_it_has_come(redmine: Any, agreeing: Any, mode: Any) -> None:
    """After each issue, up to all of them."""
    heard: list[tuple[float, float | None]] = []

    async def hear(done: float, total: float | None, _: str | None) -> None:
        heard.append((done, total))

    async with redmine.before(agreeing, mode) as client:
        arguments = {"change": {"notes": "x"}, "issue_ids": [11, 12, 13], "dry_run": False}
        await client.call_tool(BULK, arguments, progress_handler=hear)

    assert heard == [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]


async def test_a_redmine_in_trouble_is_left_alone(redmine: Any) -> None:
    """After an error that every further issue would meet, no more of them are begun."""

    async def breaks(asked: str) -> None:
        if asked.startswith("PUT"):
            raise httpx.ReadError("reset")

    async with redmine.as_() as call:
        redmine.way.before = breaks
        ids = list(range(1, 21))
        result = await call(BULK, change={"notes": "x"}, issue_ids=ids, dry_run=False)

    outcomes = [one["outcome"] for one in result.structured_content["issues"]]
    assert outcomes.count("failed") <= bulk.AT_ONCE
    assert outcomes.count("failed") + outcomes.count("not_tried") == 20
    assert len(redmine.writes) <= bulk.AT_ONCE
    assert text_of(result).startswith("0 of 20 written.")
