"""list_issues: which issues each filter finds, held against the seed of both Redmines."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import pytest

from redmine_mcp_core.testing import text_of

SEED = json.loads(files("redmine_mcp_sandbox").joinpath("seed.json").read_text("utf-8"))
CLOSED = {5, 6}
ALPHA, BETA, GAMMA = 1, 2, 3
HIDDEN = {42}
"""A private issue of others, in a project where alice may not see such."""

COMPUTED = {"due", "due_date", "priority", "done_ratio", "estimated_hours"}
"""Redmine computes these of a parent from its subtasks, so the seed does not say them."""

Issue = dict[str, Any]


def named(value: Any) -> str:
    """A case by its arguments; what fits them has no name."""
    return str(value) if isinstance(value, dict) else ""


def open_in(*projects: int) -> Callable[[Issue], bool]:
    return lambda issue: issue["project_id"] in projects and issue["status_id"] not in CLOSED


@pytest.fixture
def all_ids(listed: Any, ids: Any) -> Callable[..., Awaitable[set[int]]]:
    """The issues of every page."""

    async def call(client: Any, **arguments: Any) -> set[int]:
        found: set[int] = set()
        for page in range(1, 10):
            result = await listed(client, **arguments, page=page)
            found.update(ids(result))
            if "next:" not in text_of(result):
                return found
        raise AssertionError("the pages never end")

    return call


ON_BOTH: list[tuple[dict[str, Any], Callable[[Issue], bool]]] = [
    ({}, open_in(ALPHA, BETA, GAMMA)),
    ({"project": "alpha"}, open_in(ALPHA, BETA)),
    ({"project": "Alpha", "subprojects": False}, open_in(ALPHA)),
    ({"project": "beta"}, open_in(BETA)),
    ({"status": "closed"}, lambda i: i["status_id"] in CLOSED),
    ({"status": "any"}, lambda _: True),
    ({"status": "Closed"}, lambda i: i["status_id"] == 5),
    ({"status": "in progress"}, lambda i: i["status_id"] == 2),
    ({"status": "New, Feedback"}, lambda i: i["status_id"] in (1, 4)),
    ({"status": "!New, Closed"}, lambda i: i["status_id"] not in (1, 5)),
    ({"tracker": "Bug", "status": "any"}, lambda i: i["tracker_id"] == 1),
    ({"tracker": "Bug,Support", "status": "any"}, lambda i: i["tracker_id"] in (1, 3)),
    ({"priority": "Urgent", "status": "any"}, lambda i: i["priority_id"] == 4),
    ({"assignee": "none", "status": "any"}, lambda i: i["assigned_to_id"] is None),
    ({"assignee": "nobody", "status": "any"}, lambda i: i["assigned_to_id"] is None),
    ({"assignee": "None", "status": "*"}, lambda i: i["assigned_to_id"] is None),
    ({"assignee": "Me", "status": "Any"}, lambda i: i["assigned_to_id"] == 5),
    ({"fields": {"assigned_to_id": "me"}, "status": "any"}, lambda i: i["assigned_to_id"] == 5),
    ({"fields": {"due_date": "any", "status_id": "any"}}, lambda i: i["due_date"] is not None),
    ({"assignee": "me", "status": "any"}, lambda i: i["assigned_to_id"] == 5),
    ({"assignee": "6", "status": "any"}, lambda i: i["assigned_to_id"] == 6),
    ({"fields": {"author": "me"}, "status": "any"}, lambda i: i["author_id"] == 5),
    ({"due": "any", "status": "any"}, lambda i: i["due_date"] is not None),
    ({"due": "none", "status": "any"}, lambda i: i["due_date"] is None),
    (
        {"due": "2026-02", "status": "any"},
        lambda i: (i["due_date"] or "").startswith("2026-02"),
    ),
    (
        {"fields": {"created": "<2026-01-10"}, "status": "any"},
        lambda i: i["created_on"] < "2026-01-10",
    ),
    (
        {"fields": {"created": "2026-01-10..2026-01-12"}, "status": "any"},
        lambda i: "2026-01-10" <= i["created_on"] < "2026-01-13",
    ),
    ({"updated": ">=2026-02-05", "status": "any"}, lambda i: i["updated_on"] >= "2026-02-05"),
    ({"subject": "login", "status": "any"}, lambda i: "login" in i["subject"].lower()),
    ({"fields": {"parent": "1"}, "status": "any"}, lambda i: i["parent_id"] == 1),
    ({"fields": {"parent": "#1"}, "status": "any"}, lambda i: i["parent_id"] == 1),
    ({"fields": {"id": "1, 3"}, "status": "any"}, lambda i: i["id"] in (1, 3)),
    (
        {"project": "alpha", "fields": {"Severity": "high"}, "status": "any"},
        lambda i: i["project_id"] != GAMMA and i["custom_values"].get("2") == "high",
    ),
    (
        {"project": "alpha", "fields": {"platforms": "linux"}, "status": "any"},
        lambda i: i["project_id"] != GAMMA and "linux" in i["custom_values"].get("3", []),
    ),
    (
        {"project": "alpha", "fields": {"Effort": ">=8"}, "status": "any"},
        lambda i: i["project_id"] != GAMMA and int(i["custom_values"].get("4") or 0) >= 8,
    ),
    (
        {"project": "alpha", "fields": {"Release note": "~reworked"}, "status": "any"},
        lambda i: "reworked" in (i["custom_values"].get("9") or ""),
    ),
    (
        {"project": "alpha", "fields": {"Billable": "yes"}, "status": "any"},
        lambda i: i["project_id"] != GAMMA and i["custom_values"].get("7") == "1",
    ),
    (
        {"fields": {"done_ratio": ">=50", "estimated_hours": "any"}, "status": "any"},
        lambda i: i["done_ratio"] >= 50 and i["estimated_hours"] is not None,
    ),
]


@pytest.mark.parametrize(("arguments", "fits"), ON_BOTH, ids=named)
async def test_every_filter_by_name(
    read_as: Any, all_ids: Any, arguments: dict[str, Any], fits: Callable[[Issue], bool]
) -> None:
    """What is listed is what the seed holds, no more and no less."""
    async with read_as() as client:
        found = await all_ids(client, **arguments)

    parents = {issue["parent_id"] for issue in SEED["issues"]} - {None}
    computed = parents if COMPUTED & {*arguments, *arguments.get("fields", ())} else set()
    expected = {issue["id"] for issue in SEED["issues"] if fits(issue)} - HIDDEN
    assert found - computed == expected - computed
    assert found, "the seed has nothing to tell the filter from"


ON_REAL: list[tuple[dict[str, Any], Callable[[Issue], bool]]] = [
    ({"project": "alpha", "version": "1.1", "status": "any"}, lambda i: i["fixed_version_id"] == 2),
    (
        {"project": "alpha", "fields": {"category": "UI"}, "status": "any"},
        lambda i: i["category_id"] == 1,
    ),
    ({"assignee": "Bob Builder", "status": "any"}, lambda i: i["assigned_to_id"] == 6),
    (
        {"fields": {"author": "carol"}, "project": "alpha", "status": "any"},
        lambda i: i["author_id"] == 7,
    ),
    ({"fields": {"watcher": "Carol Clark"}, "status": "any"}, lambda i: 7 in i["watcher_ids"]),
    (
        {"project": "alpha", "fields": {"Reviewer": "Bob Builder"}, "status": "any"},
        lambda i: i["project_id"] != GAMMA and i["custom_values"].get("8") == "6",
    ),
    ({"due": "overdue"}, lambda i: i["due_date"] is not None and i["status_id"] not in CLOSED),
    ({"fields": {"closed": ">=2026-01-01"}, "status": "any"}, lambda i: i["status_id"] in CLOSED),
    ({"fields": {"parent": "~1"}, "status": "any"}, lambda i: i["id"] in (2, 3, 4, 5)),
    ({"fields": {"blocks": "1"}, "status": "any"}, lambda i: i["id"] == 12),
    ({"fields": {"anywhere": "Umbrella"}, "status": "any"}, lambda i: "Umbrella" in str(i)),
    ({"fields": {"private": "yes"}, "status": "any"}, lambda i: i["is_private"]),
    ({"query": "Issues assigned to me"}, lambda i: i["assigned_to_id"] == 5),
]


@pytest.mark.real_redmine
@pytest.mark.parametrize(("arguments", "fits"), ON_REAL, ids=named)
async def test_every_filter_that_the_real_one_has(
    sign_in_to_real: Any, all_ids: Any, arguments: dict[str, Any], fits: Callable[[Issue], bool]
) -> None:
    """Versions, categories, people, watchers, relations, saved queries, and words for days."""
    async with sign_in_to_real() as client:
        found = await all_ids(client, **arguments)

    expected = {issue["id"] for issue in SEED["issues"] if fits(issue)} - HIDDEN
    if "query" in arguments:
        expected &= {i["id"] for i in SEED["issues"] if i["status_id"] not in CLOSED}
    assert found == expected


@pytest.mark.real_redmine
@pytest.mark.parametrize(
    "when",
    "today; yesterday; this week; last week; last 2 weeks; this month; last month; this year; "
    "last 7 days; none; any; 2026-01; 2026-01-01..; ..2026-01-01".split("; "),
)
async def test_redmine_understands_every_word_for_a_date(
    sign_in_to_real: Any, listed: Any, when: str
) -> None:
    """For what happened as for what is planned."""
    async with sign_in_to_real() as client:
        for field in ("created", "updated", "closed", "start", "due", "version_due"):
            await listed(client, fields={field: when}, status="any")


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_only_what_one_may_see_is_listed(
    read_as: Any, listed: Any, all_ids: Any, login: str
) -> None:
    """Private projects and private issues are their people's alone, in numbers as well."""
    async with read_as(login) as client:
        found = await all_ids(client, status="any")
        counted = await listed(client, status="any", group_by="project")

    assert (43 in found) == (login == "bob")
    assert (5 in found) == (login == "bob")
    assert counted.structured_content["total"] == len(found)
    assert ("Gamma" in text_of(counted)) == (login == "bob")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"status": ["New", "Feedback"]}, {"status": "New, Feedback"}),
        ({"assignee": 6, "project": None}, {"assignee": "6"}),
        ({"project": 1, "fields": {"parent": 1}}, {"fields": {"parent": "1"}}),
        ({"project": "alpha", "fields": {"Billable": True}}, {"fields": {"Billable": "yes"}}),
    ],
    ids=str,
)
async def test_a_value_of_another_type_is_understood(
    sign_in: Any, listed: Any, ids: Any, said: dict[str, Any], meant: dict[str, Any]
) -> None:
    """Models give lists, numbers and nulls where text is asked for."""
    project = {"project": "alpha"} if said.get("project") else {}
    async with sign_in() as client:
        assert ids(await listed(client, **said)) == ids(await listed(client, **meant, **project))
