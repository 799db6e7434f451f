"""list_issues, against the seed of both Redmines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import httpx
import jsonschema
import pytest
from redmine_mcp_issues import plugin
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for, text_of, unmarked

LIST = "list_issues"
SEED = json.loads(files("redmine_mcp_sandbox").joinpath("seed.json").read_text("utf-8"))
CLOSED = {5, 6}
ALPHA, BETA, GAMMA = 1, 2, 3
HIDDEN = {42}
"""A private issue of others, in a project where alice may not see such."""

Issue = dict[str, Any]


async def listed(client: Any, **arguments: Any) -> Any:
    """What was found; the answer is valid against the schema that the tool declares."""
    result = await client.call_tool(LIST, arguments)
    (tool,) = [tool for tool in await client.list_tools() if tool.name == LIST]
    jsonschema.validate(result.structured_content, tool.output_schema)
    return result


async def refusal(client: Any, **arguments: Any) -> str:
    result = await client.call_tool(LIST, arguments, raise_on_error=False)
    assert result.is_error, text_of(result)
    return unmarked(text_of(result))


def ids(result: Any) -> list[int]:
    return [issue["id"] for issue in result.structured_content.get("issues", [])]


def open_in(*projects: int) -> Callable[[Issue], bool]:
    return lambda issue: issue["project_id"] in projects and issue["status_id"] not in CLOSED


async def all_ids(client: Any, **arguments: Any) -> set[int]:
    """The issues of every page."""
    found: set[int] = set()
    for page in range(1, 10):
        result = await listed(client, **arguments, page=page)
        found.update(ids(result))
        if "next:" not in text_of(result):
            return found
    raise AssertionError("the pages never end")


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


@pytest.mark.parametrize(("arguments", "fits"), ON_BOTH, ids=str)
async def test_every_filter_by_name(
    read_as: Any, arguments: dict[str, Any], fits: Callable[[Issue], bool]
) -> None:
    """What is listed is what the seed holds, no more and no less."""
    async with read_as() as client:
        found = await all_ids(client, **arguments)

    # Redmine computes these of a parent from its subtasks, so the seed does not say them.
    parents = {issue["parent_id"] for issue in SEED["issues"]} - {None}
    computed = parents if {"due", "priority", "fields"} & arguments.keys() else set()
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
@pytest.mark.parametrize(("arguments", "fits"), ON_REAL, ids=str)
async def test_every_filter_that_the_real_one_has(
    sign_in_to_real: Any, arguments: dict[str, Any], fits: Callable[[Issue], bool]
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
async def test_redmine_understands_every_word_for_a_date(sign_in_to_real: Any, when: str) -> None:
    """For what happened as for what is planned."""
    async with sign_in_to_real() as client:
        for field in ("created", "updated", "closed", "start", "due", "version_due"):
            await listed(client, fields={field: when}, status="any")


async def test_a_page_reads_like_a_list(read_as: Any) -> None:
    """Under headings that say what issues share; what all share is said first."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, fields={"id": "1,2,3,9"})

    assert text_of(result).splitlines()[1:-2] == [
        "All: Alpha. Dates: 2026, updated unless due.",
        "In Progress, Feature, Urgent:",
        "#1 Alice Ace, due 02-10: Rework the login page",
        "#3 Bob Builder, due 02-10: New form for the login page",
        "New:",
        "#9 Feature, Low, nobody, 01-13: Dark theme",
        "Resolved:",
        "#2 Support, Normal, Bob Builder, due 01-11: Measure how slow the login page is",
    ]
    assert text_of(result).splitlines()[-1] == "1-4 of 4"


async def test_an_order_is_kept(read_as: Any) -> None:
    """Where one was asked for, nothing stands under headings, and its date is shown."""
    async with read_as() as client:
        result = await listed(client, fields={"id": "1,2,3"}, sort="-created")
        by_two = await listed(client, fields={"id": "1,2,3"}, sort="assignee, id:desc")

    assert text_of(result).splitlines()[1:-2] == [
        "All: Alpha. Dates: 2026, created.",
        "#3 In Progress, Feature, Urgent, Bob Builder, 01-07: New form for the login page",
        "#2 Resolved, Support, Normal, Bob Builder, 01-06: Measure how slow the login page is",
        "#1 In Progress, Feature, Urgent, Alice Ace, 01-05: Rework the login page",
    ]
    assert ids(by_two) == [1, 3, 2]


async def test_in_an_order_of_ones_own_what_is_usual_is_said_once(read_as: Any) -> None:
    """Where rows have no headings, they tell how they differ from most."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, sort="id")

    lines = text_of(result).splitlines()[1:-2]
    assert lines[0] == (
        "All: Alpha. Default: New, Bug, Normal, Bob Builder. Dates: 2026, updated unless due."
    )
    assert (
        lines[1] == "#1 In Progress, Feature, Urgent, Alice Ace, due 02-10: Rework the login page"
    )
    rows = {row["id"]: row for row in result.structured_content["issues"]}
    for text in lines[1:]:
        row = rows[int(text[1:].split(" ")[0])]
        for column, usual in (("status", "New"), ("tracker", "Bug"), ("priority", "Normal")):
            assert (f"{row[column]}," in text) == (row[column] != usual), text


async def test_an_order_may_be_named_as_in_redmines_api(read_as: Any) -> None:
    """A model knows that by heart; what is counted by, too."""
    async with read_as() as client:
        ours = await listed(client, project="alpha", sort="-updated,priority")
        theirs = await listed(client, project="alpha", sort="updated_on:desc,priority_id")
        counts = [
            (await listed(client, group_by=by)).structured_content["groups"]
            for by in ("assignee", "assigned_to", "assigned_to_id")
        ]

    assert ids(ours) == ids(theirs)
    assert counts[0] == counts[1] == counts[2]


async def test_an_order_has_headings_where_they_are_the_shorter(read_as: Any) -> None:
    """What several rows in a row are sorted by is said above them, and nothing changes place."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, sort="priority,id")

    lines = text_of(result).splitlines()[2:-2]
    headings = [text.removesuffix(":") for text in lines if not text.startswith("#")]
    rows = [int(text[1:].split()[0].rstrip(":")) for text in lines if text.startswith("#")]
    by_id = {row["id"]: row for row in result.structured_content["issues"]}
    assert rows == ids(result)
    assert headings == list(dict.fromkeys(row["priority"] for row in by_id.values()))
    above = text_of(result).splitlines()[1]
    assert not any(
        heading in text
        for heading in headings
        for text in [above, *lines[1:]]
        if not text.endswith(":")
    )


async def test_the_last_updated_come_first(read_as: Any) -> None:
    """By default, page by page."""
    async with read_as() as client:
        first, second = [await listed(client, page=page) for page in (1, 2)]

    days = [
        issue["updated_on"]
        for page in (first, second)
        for issue in page.structured_content["issues"]
    ]
    assert days == sorted(days, reverse=True)
    assert len(set(ids(first) + ids(second))) == first.structured_content["total"] == len(days)
    assert text_of(first).splitlines()[-1] == f"1-25 of {len(days)}; next: page=2"
    assert text_of(second).splitlines()[-1] == f"26-{len(days)} of {len(days)}"


async def test_programs_read_the_same_as_data(sign_in: Any) -> None:
    """Each issue's values stand apart, without nulls."""
    async with sign_in() as client:
        data = (await listed(client, fields={"id": "9"})).structured_content

    assert data == {
        "total": 1,
        "issues": [
            {
                "id": 9,
                "subject": "Dark theme",
                "project": "Alpha",
                "tracker": "Feature",
                "status": "New",
                "priority": "Low",
                "updated_on": "2026-01-13",
            }
        ],
    }


async def test_the_answer_stays_lean(sign_in: Any) -> None:
    """25 open issues fit a budget, and programs get three times that at most."""
    async with sign_in() as client:
        result = await listed(client, project="alpha")

    text, data = text_of(result), json.dumps(result.structured_content, ensure_ascii=False)
    size, size_of_data = len(text.encode()), len(data.encode())
    assert len(ids(result)) == 25
    assert size <= 2100, f"a model reads {size} bytes:\n{text}"
    assert size_of_data <= 3 * size, f"programs read {size_of_data} bytes for {size}"


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_only_what_one_may_see_is_listed(read_as: Any, login: str) -> None:
    """Private projects and private issues are their people's alone, in numbers as well."""
    async with read_as(login) as client:
        found = await all_ids(client, status="any")
        counted = await listed(client, status="any", group_by="project")

    assert (43 in found) == (login == "bob")
    assert (5 in found) == (login == "bob")
    assert counted.structured_content["total"] == len(found)
    assert ("Gamma" in text_of(counted)) == (login == "bob")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"status": "Doing"}, "There is no status “Doing” here. There are: New, In Progress"),
        ({"status": "none"}, "There is no status “none” here."),
        ({"tracker": "Bug, Chore"}, "There is no tracker “Chore” here. There are: Bug, Feature"),
        ({"priority": "P1"}, "There is no priority “P1” here. There are: Low, Normal, High"),
        ({"project": "delta"}, "There is no project “delta” here. There are: Alpha, Beta"),
        (
            {"project": "alpha", "fields": {"Severty": "high"}},
            "There is no custom field “Severty” here. There are: Customer, Severity",
        ),
        ({"fields": {"Category": "UI"}}, "Categories belong to a project: name it."),
        ({"due": "soon"}, "“soon” is no date here. Write it like one of these: 2026-01-31"),
        ({"fields": {"created": "tomorrow"}}, "“tomorrow” is no date here."),
        ({"sort": "votes"}, "Nothing is sorted by “votes”. There are: id, project, tracker"),
        ({"sort": "id,due,start,subject"}, "Redmine sorts by 3 keys at most."),
        ({"group_by": "votes"}, "Issues are not counted by “votes”, but by status, tracker"),
        ({"fields": {"parent": "Login"}}, "parent is an issue's number"),
        ({"fields": {"done_ratio": "half"}}, "done_ratio is a number"),
        ({"fields": {"private": "maybe"}}, "private is one of: yes, no."),
        ({"subject": "a|b"}, "Redmine cannot filter by a value with “|” in it: subject."),
        ({"fields": {"watcher": " "}}, "watcher is empty."),
        ({"status": "open", "fields": {"Status": "New"}}, "status is given twice."),
        ({"query": "Mine", "status": "open"}, "Redmine runs a saved query as it is: leave out"),
    ],
    ids=str,
)
async def test_what_redmine_would_ignore_is_refused(
    sign_in: Any, sandbox: Sandbox, arguments: dict[str, Any], says: str
) -> None:
    """With the valid ones: it would list everything, or nothing, and not say why."""
    async with sign_in() as client:
        answer = await refusal(client, **arguments)

    assert answer.startswith(says)
    assert answer.endswith("[bad_argument]")
    lists = [request for request in sandbox.requests if request.path == "/issues.json"]
    assert lists == []


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_a_filter_that_redmine_keeps_from_somebody_is_an_error(
    read_as: Any, login: str
) -> None:
    """Only those who may set privacy can ask for it; for others Redmine lists everything."""
    async with read_as(login) as client:
        answer = await refusal(client, fields={"private": "yes"})

    assert answer.startswith("Redmine does not filter by private here, and listed other issues")


@pytest.mark.parametrize(
    "arguments",
    [
        {"tracker": "Bug"},
        {"priority": "High"},
        {"status": "New"},
        {"status": "!Feedback"},
        {"assignee": "5"},
        {"assignee": "none"},
        {"version": "7", "project": ""},
        {"due": "2026-01"},
        {"fields": {"Severity": "high"}},
        {"fields": {"Severity": "none"}},
        {"fields": {"Effort": "any"}},
        {"fields": {"Effort": ">=3"}},
        {"fields": {"estimated_hours": "2..4"}},
    ],
    ids=str,
)
async def test_a_filter_that_was_ignored_is_noticed(
    sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    """A field may be no filter at this Redmine, which then lists issues that do not fit."""
    stranger = {
        "id": 1,
        "subject": "Any",
        "updated_on": "2026-01-01T00:00:00Z",
        "custom_fields": [{"id": 2, "name": "Severity", "value": "low"}],
        **{name: {"id": 4, "name": "X"} for name in ("project", "tracker", "priority", "status")},
        "assigned_to": {"id": 9, "name": "X"},
    }
    app = httpx.ASGITransport(sandbox.app)

    class Careless(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.endswith("/issues.json"):
                return await app.handle_async_request(request)
            return httpx.Response(200, json={"issues": [stranger], "total_count": 1})

    token = sandbox.grant("alice", ("view_issues", "view_project")).access_token
    async with client_for(plugin, redmine=Careless(), token=token) as client:
        answer = await refusal(client, **{"project": "alpha", **arguments})

    assert re.match(r"Redmine does not filter by \w+ here", answer)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, "/issues.json"),
        (
            {"project": "alpha", "status": "New", "tracker": "Bug", "priority": "High, Urgent"},
            "/projects/alpha/issues.json",
        ),
        (
            {"project": "Alpha", "fields": {"Severity": "high"}, "sort": "-priority,Effort"},
            "/projects/1/issues.json",
        ),
        ({"project": "alpha", "group_by": "status"}, "/projects/alpha/issues.json"),
        ({"project": "alpha", "group_by": "Severity"}, "/projects/alpha/issues.json"),
    ],
    ids=str,
)
async def test_one_question_once_the_names_are_known(
    sign_in: Any, sandbox: Sandbox, arguments: dict[str, Any], asked: str
) -> None:
    """Names are read once, and then each call is one request."""
    async with sign_in() as client:
        await listed(client, **arguments)
        sandbox.requests.clear()
        await listed(client, **arguments)

    assert [request.path for request in sandbox.requests if "member" not in request.path] == [asked]


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
    sign_in: Any, said: dict[str, Any], meant: dict[str, Any]
) -> None:
    """Models give lists, numbers and nulls where text is asked for."""
    project = {"project": "alpha"} if said.get("project") else {}
    async with sign_in() as client:
        assert ids(await listed(client, **said)) == ids(await listed(client, **meant, **project))


async def test_nothing_fits(sign_in: Any) -> None:
    """It is an answer and not an error."""
    async with sign_in() as client:
        result = await listed(client, subject="xyzzy", status="any")
        beyond = await listed(client, page=9)

    assert text_of(result) == "No issue fits."
    assert result.structured_content == {"total": 0}
    assert re.fullmatch(r"\d+ found, but page 9 is past the last\.", text_of(beyond))


async def test_what_else_to_try_is_said(read_as: Any) -> None:
    """Where nothing fits for a reason that a model may not think of."""
    async with read_as() as client:
        closed = await listed(client, fields={"id": "20"})
        part = await listed(client, project="alpha", fields={"Release note": "The login page"})

    assert text_of(closed) == "No issue fits. Closed ones were left out: status=any takes all."
    assert text_of(part).endswith(
        "Release note was compared as a whole: ~The login page finds a part of it."
    )


@pytest.mark.real_redmine
@pytest.mark.parametrize("project", ["alpha", "nothing"])
async def test_a_saved_query_that_is_not_there(sign_in_to_real: Any, project: str) -> None:
    """With those that there are."""
    async with sign_in_to_real() as client:
        answer = await refusal(client, project=project, query="Mine")

    assert answer.startswith(
        "There is no saved query “Mine” here. There are: Issues assigned to me"
    )


async def test_what_strangers_wrote_is_quoted(sign_in: Any) -> None:
    """Subjects stand between marks; the count does not."""
    async with sign_in() as client:
        text = text_of(await listed(client, fields={"id": "18"}))

    mark = text[1:].split()[0]
    assert text.startswith(f"«{mark} data from Redmine")
    assert text.endswith(f"\n{mark}»\n1-1 of 1")
