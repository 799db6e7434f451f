"""create_issue: what it makes, what it tells, and that it makes it once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import pytest

from redmine_mcp_core.testing import MemoryStore, text_of, unmarked

WRITE = "create_issue"


async def count(redmine: Any) -> int:
    answer = await redmine.ask("alice", "GET", "/issues.json?status_id=*&limit=1")
    return int(answer["total_count"])


async def test_an_issue_is_made_by_names(redmine: Any) -> None:
    """Tracker, people, version and custom fields by name; the answer is what Redmine made of it."""
    async with redmine.as_() as call:
        result = await call(
            WRITE,
            project="alpha",
            subject="Log in with a key",
            tracker="feature",
            priority="High",
            assignee="Bob Builder",
            version="1.1",
            category="UI",
            parent=1,
            estimated_hours=2.5,
            fields={"Severity": "low", "Platforms": ["linux", "macos"], "Billable": True},
            watchers=["me", "Carol Clark"],
            relations=["blocks #12"],
        )
        text = unmarked(text_of(result))

    lines = text.splitlines()
    issue_id = result.structured_content["id"]
    assert lines[0] == f"#{issue_id} created."
    assert lines[1:3] == [
        "Alpha · Feature · New · High · assigned to Bob Builder · subtask of #1",
        "Also: blocks #12; Alice Ace watches; Carol Clark watches.",
    ]
    held = await redmine.issue(issue_id, "watchers,relations")
    fields = {field["name"]: field["value"] for field in held["custom_fields"]}
    assert fields["Severity"] == "low"
    assert sorted(fields["Platforms"]) == ["linux", "macos"]
    assert fields["Billable"] == "1"
    assert held["fixed_version"]["name"] == "1.1"
    assert held["relations"][0]["issue_to_id"] == 12


async def test_a_plain_issue_takes_two_questions(redmine: Any) -> None:
    """The project, by name or identifier, and the issue: what Redmine answers is read back."""
    async with redmine.as_() as call:
        result = await call(WRITE, project="Alpha", subject="Plain")
        seen = redmine.asked

    assert len(text_of(result).encode()) <= 130
    assert "POST /issues.json" in seen
    assert len(seen) <= 4
    async with redmine.as_() as call:
        await call(WRITE, project="alpha", subject="Plain")
    assert redmine.asked == ["GET /projects/alpha.json", "POST /issues.json"]


async def test_a_person_in_a_custom_field_is_found_by_name(redmine: Any) -> None:
    """Redmine keeps an id there and does not tell that it does; other issues show it."""
    async with redmine.as_() as call:
        result = await call(
            WRITE,
            project="alpha",
            subject="Who reviews?",
            fields={"Reviewer": "bob builder", "Customer": "Bob Builder"},
        )

    held = await redmine.issue(result.structured_content["id"], "journals")
    fields = {field["name"]: field["value"] for field in held["custom_fields"]}
    assert fields["Reviewer"] == "6"
    assert fields["Customer"] == "Bob Builder"


async def test_what_redmine_drops_is_told(redmine: Any) -> None:
    """A Reporter's subtask is made without its parent, and a status that is not the first."""
    async with redmine.as_("carol") as call:
        text = text_of(
            await call(WRITE, project="alpha", subject="Mine", parent=1, status="Closed")
        )

    assert "Silently dropped by Redmine: Status → Closed; Parent → #1." in text or (
        "Silently dropped by Redmine: Parent → #1; Status → Closed." in text
    )


async def test_what_is_private_never_becomes_public(redmine: Any) -> None:
    """Redmine would make a public issue of it; so nothing is made."""
    before = await count(redmine)
    async with redmine.as_("carol") as call:
        result = await call(WRITE, project="alpha", subject="A hole", private=True)

    assert result.is_error
    assert "It would become public" in text_of(result)
    assert await count(redmine) == before

    async with redmine.as_() as call:
        result = await call(WRITE, project="alpha", subject="A hole", private=True)

    assert (await redmine.issue(result.structured_content["id"]))["is_private"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"project": "nowhere"}, "There is no project “nowhere” here. There are: Alpha, Beta"),
        ({"subject": "x" * 300}, "The subject has 300 characters; 255 fit."),
        ({"subject": " "}, "subject cannot be empty."),
        ({"tracker": "Epic"}, "There is no tracker “Epic” here. There are: Bug, Feature, Support."),
        ({"watchers": ["-me"]}, "A new issue has no watchers or relations to take away."),
        ({"watchers": [999]}, "One of the watchers does not exist"),
        ({"parent": "first"}, "parent is the number of an issue, such as 12."),
    ],
)
async def test_what_cannot_be_is_refused(
    redmine: Any, arguments: dict[str, Any], sentence: str
) -> None:
    """Nothing is made of it."""
    before = await count(redmine)
    async with redmine.as_() as call:
        result = await call(WRITE, **{"project": "alpha", "subject": "x", **arguments})

    assert result.is_error
    assert sentence in unmarked(text_of(result))
    assert await count(redmine) == before


async def test_redmines_sentences_come_field_by_field(redmine: Any) -> None:
    """A 422 is told in Redmine's words."""
    async with redmine.as_() as call:
        result = await call(
            WRITE,
            project="alpha",
            subject="x",
            start_date="2026-02-02",
            due_date="2026-02-01",
            fields={"Severity": "awful"},
        )

    assert unmarked(text_of(result)) == (
        "Redmine refused the values: Severity is not included in the list "
        "(other issues have: critical, high, low, medium); "
        "Due date must be greater than start date. [invalid]"
    )


async def test_a_key_makes_one_issue(redmine: Any) -> None:
    """The same call with the same key returns the first issue, on another replica too."""
    store, before = MemoryStore(), await count(redmine)
    call_ = {"project": "alpha", "subject": "Once", "idempotency_key": "a1"}
    async with redmine.as_(store=store) as call:
        first = await call(WRITE, **call_)
    async with redmine.as_(store=store) as call:
        second = await call(WRITE, **call_)
        other = await call(WRITE, **{**call_, "subject": "Something else"})

    assert second.structured_content["id"] == first.structured_content["id"]
    assert "was created with this idempotency key before" in text_of(second)
    assert "This idempotency key was used for other values." in text_of(other)
    assert await count(redmine) == before + 1


async def test_two_at_once_with_one_key_make_one_issue(redmine: Any) -> None:
    """On two replicas at the same moment: one makes it, the other waits and is told of it."""
    store, before = MemoryStore(), await count(redmine)
    call_ = {"project": "alpha", "subject": "Once", "idempotency_key": "a1"}
    both_post = asyncio.Barrier(2)

    async def chance(asked: str) -> None:
        if asked == "POST /issues.json":  # until the other one wants to make it as well
            with suppress(TimeoutError, asyncio.BrokenBarrierError):
                await asyncio.wait_for(both_post.wait(), 0.3)

    async with redmine.as_(store=store) as one:
        redmine.way.before = chance
        async with redmine.as_(store=store) as two:
            redmine.way.before = chance
            answers = await asyncio.gather(one(WRITE, **call_), two(WRITE, **call_))

    assert len({answer.structured_content["id"] for answer in answers}) == 1
    assert {answer.structured_content["outcome"] for answer in answers} == {"created", "exists"}
    assert await count(redmine) == before + 1


async def test_a_key_is_its_callers_own(redmine: Any) -> None:
    """Somebody else's issue does not come back under the same key."""
    store = MemoryStore()
    call_ = {"project": "alpha", "subject": "Once", "idempotency_key": "a1"}
    async with redmine.as_("alice", store=store) as call:
        first = await call(WRITE, **call_)
    async with redmine.as_("bob", store=store) as call:
        second = await call(WRITE, **call_)

    assert second.structured_content["outcome"] == "created"
    assert second.structured_content["id"] != first.structured_content["id"]


async def test_an_answer_that_got_lost_is_found_again(redmine: Any) -> None:
    """The issue was made and the answer did not arrive: the repeat finds it in Redmine."""
    store, before = MemoryStore(), await count(redmine)
    call_ = {"project": "alpha", "subject": "Lost", "idempotency_key": "a1"}

    async def lost(asked: str) -> None:
        if asked == "POST /issues.json":
            raise httpx.ReadTimeout("the answer did not arrive")

    async with redmine.as_(store=store) as call:
        redmine.way.after = lost
        first = await call(WRITE, **call_)
        redmine.way.after = None
        second = await call(WRITE, **call_)

    assert first.is_error
    assert "It may still have done what was asked" in text_of(first)
    assert second.structured_content["outcome"] == "exists"
    assert await count(redmine) == before + 1


async def test_a_subtask_of_another_issue_is_not_taken_for_it(redmine: Any) -> None:
    """The second one failed before it was made; its repeat makes it, and finds no other."""
    store = MemoryStore()
    call_ = {"project": "alpha", "subject": "Write tests"}

    async def refused(asked: str) -> None:
        if asked == "POST /issues.json":
            raise httpx.ReadTimeout("it never arrived")

    async with redmine.as_(store=store) as call:
        first = await call(WRITE, **call_, parent="#11", idempotency_key="a1")
        redmine.way.before = refused
        await call(WRITE, **call_, parent="#14", idempotency_key="a2")
        redmine.way.before = None
        second = await call(WRITE, **call_, parent="#14", idempotency_key="a2")

    assert second.structured_content["outcome"] == "created"
    assert second.structured_content["id"] != first.structured_content["id"]


async def test_a_repeat_makes_the_relations_that_are_missing(redmine: Any) -> None:
    """The first call made the issue and ended before it related it; a third one adds nothing."""
    store = MemoryStore()
    call_ = {
        "project": "alpha",
        "subject": "Lost",
        "relations": ["blocks #12", "relates #14"],
        "idempotency_key": "a1",
    }

    async def lost(asked: str) -> None:
        if asked == "POST /issues.json":
            raise httpx.ReadTimeout("the answer did not arrive")

    async with redmine.as_(store=store) as call:
        redmine.way.after = lost
        await call(WRITE, **call_)
        redmine.way.after = None
        second = await call(WRITE, **call_)
        third = await call(WRITE, **call_)

    issue_id = second.structured_content["id"]
    assert second.structured_content["outcome"] == "exists"
    assert len(second.structured_content["done"]) == 2
    assert "done" not in third.structured_content
    held = await redmine.issue(issue_id, "relations")
    related = [{one["issue_id"], one["issue_to_id"]} - {issue_id} for one in held["relations"]]
    assert sorted(map(tuple, related)) == [(12,), (14,)]


async def test_a_refused_key_may_be_used_again(redmine: Any) -> None:
    """Where Redmine refused the values nothing was made, and the corrected call goes through."""
    call_ = {"project": "alpha", "subject": "Once", "idempotency_key": "a1"}
    async with redmine.as_() as call:
        first = await call(WRITE, **call_, fields={"Severity": "awful"})
        second = await call(WRITE, **call_, fields={"Severity": "low"})

    assert first.is_error
    assert second.structured_content["outcome"] == "created"
