"""list_issues with group_by: how many, in one short answer whose cost does not grow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from redmine_mcp_issues import plugin

from redmine_mcp_core.testing import client_for, text_of

LIST = "list_issues"


async def counted(client: Any, **arguments: Any) -> dict[str, int]:
    result = await client.call_tool(LIST, arguments)
    return {group["name"]: group["count"] for group in result.structured_content["groups"]}


async def test_a_count_is_one_short_answer(read_as: Any) -> None:
    """The most frequent first, and how many in all."""
    async with read_as() as client:
        result = await client.call_tool(LIST, {"project": "alpha", "group_by": "assignee"})

    assert text_of(result).splitlines()[1:-2] == [
        "none: 14",
        "Bob Builder: 11",
        "Alice Ace: 9",
        "Carol Clark: 2",
    ]
    assert text_of(result).splitlines()[-1] == "36 issues by assignee"


async def test_a_field_of_several_values_says_so(read_as: Any) -> None:
    """Since the numbers then add up to more than there are."""
    async with read_as() as client:
        result = await client.call_tool(LIST, {"project": "alpha", "group_by": "platforms"})

    assert text_of(result).splitlines()[-1].endswith("by platforms; one may count in several")


STATUSES = ("New", "In Progress", "Closed")


class Large(httpx.AsyncBaseTransport):
    """A Redmine with very many issues, which counts its requests and understands filters."""

    def __init__(self, total: int) -> None:
        self.paths: list[str] = []
        self.issues = [self._issue(number) for number in range(1, total + 1)]

    def _issue(self, number: int) -> dict[str, Any]:
        status = number % 3
        version = number % 61
        return {
            "id": number,
            "subject": "Any",
            "status": {"id": status + 1, "name": STATUSES[status], "is_closed": status == 2},
            **({"fixed_version": {"id": version, "name": f"{version}.0"}} if version else {}),
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        params = request.url.params
        match request.url.path:
            case "/issue_statuses.json":
                names = [
                    {"id": n + 1, "name": name, "is_closed": n == 2}
                    for n, name in enumerate(STATUSES)
                ]
                return httpx.Response(200, json={"issue_statuses": names})
            case "/projects/alpha/versions.json":
                versions = [{"id": n, "name": f"{n}.0"} for n in range(1, 61)]
                return httpx.Response(200, json={"versions": versions})
        found = self.issues
        for name, attribute in (("status_id", "status"), ("fixed_version_id", "fixed_version")):
            expression = params.get(name)
            if expression in ("o", "c"):
                found = [i for i in found if i["status"]["is_closed"] == (expression == "c")]
            elif expression == "!*":
                found = [i for i in found if attribute not in i]
            elif expression and expression.startswith("="):
                found = [i for i in found if str(i.get(attribute, {}).get("id")) == expression[1:]]
        page = found[: int(params["limit"])]
        return httpx.Response(200, json={"issues": page, "total_count": len(found)})


@pytest.mark.parametrize("total", [101, 1_000, 10_000])
async def test_the_cost_does_not_grow_with_the_project(total: int) -> None:
    """Once names are known: one question for a hundred issues, and one for each value."""
    redmine = Large(total)
    async with client_for(plugin, redmine=redmine, token="token") as client:
        await counted(client, project="alpha", status="any", group_by="status")
        redmine.paths.clear()
        found = await counted(client, project="alpha", status="any", group_by="status")

    assert found == Counter(issue["status"]["name"] for issue in redmine.issues)
    assert Counter(redmine.paths) == {"/projects/alpha/issues.json": 1 + 3}


async def test_a_filter_of_the_same_name_holds_for_each_value() -> None:
    """Open issues by status leave out the closed ones, also where each is counted alone."""
    async with client_for(plugin, redmine=Large(1_000), token="token") as client:
        still_open = await counted(client, project="alpha", group_by="status")
        chosen = await counted(client, project="alpha", status="New", group_by="status")

    assert set(still_open) == {"New", "In Progress"}
    assert set(chosen) == {"New"}


async def test_of_many_values_the_rest_is_one_number() -> None:
    """Forty are asked for; nothing is lost, and nothing counted twice."""
    redmine = Large(3_000)
    async with client_for(plugin, redmine=redmine, token="token") as client:
        found = await counted(client, project="alpha", status="any", group_by="version")

    assert len(found) == 41
    assert sum(found.values()) == 3_000
    assert "others" in found
    assert len(redmine.paths) <= 43


async def test_values_that_redmine_does_not_filter_by_are_no_numbers() -> None:
    """It would give the whole list for each of them."""

    class Careless(Large):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            kept = {k: v for k, v in request.url.params.items() if k != "fixed_version_id"}
            url = request.url.copy_with(params=kept)
            return await super().handle_async_request(httpx.Request("GET", url))

    async with client_for(plugin, redmine=Careless(500), token="token") as client:
        result = await client.call_tool(
            LIST, {"project": "alpha", "group_by": "version"}, raise_on_error=False
        )

    assert text_of(result) == "Redmine does not filter by version here. [bad_argument]"
