"""project_summary: right, short, and no dearer for a large project than for a small one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from redmine_mcp_projects import counting, plugin

from redmine_mcp_core.testing import client_for, text_of

CALLS = 50
"""At most so many questions for a project like the seed's alpha: two for each tracker, priority,
version and assignee, and about a dozen more."""
BYTES = 30_000
"""At most so much comes from Redmine for them."""


@pytest.fixture(params=["read", "counted"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project as it is, and as one with more issues than are read at once."""
    if request.param == "counted":
        monkeypatch.setattr(counting, "READ_AT_ONCE", -1)


async def summary(client: Any, **arguments: Any) -> Any:
    return await client.call_tool("project_summary", arguments)


def by_name(counts: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {count["name"]: (count.get("open", 0), count.get("closed", 0)) for count in counts}


async def read_all(redmine: Any, login: str, path: str, key: str) -> list[dict[str, Any]]:
    """Everything, read the long way."""
    async with redmine.http(login) as http:
        answer = (await http.get(path)).raise_for_status().json()
    assert answer["total_count"] <= 100
    found: list[dict[str, Any]] = answer[key]
    return found


@pytest.mark.parametrize("login", ["alice", "bob", "carol"])
@pytest.mark.usefixtures("either_way")
async def test_it_says_what_reading_every_issue_would(redmine: Any, login: str) -> None:
    """Each count and each sum, as far as this caller sees the issues."""
    async with redmine.client(login) as client:
        data = (await summary(client, project="alpha")).structured_content
        path = "/projects/1/issues.json?status_id=*&subproject_id=!*&limit=100"
        issues = await read_all(redmine, login, path, "issues")
        path = "/projects/1/time_entries.json?subproject_id=!*&limit=100"
        entries = await read_all(redmine, login, path, "time_entries")

    issues = [issue for issue in issues if issue["project"]["id"] == 1]
    entries = [entry for entry in entries if entry["project"]["id"] == 1]

    def counted(field: str) -> dict[str, tuple[int, int]]:
        found: dict[str, Counter[bool]] = {}
        for issue in issues:
            name = (issue.get(field) or {"name": "none"})["name"]
            found.setdefault(name, Counter())[bool(issue["closed_on"])] += 1
        return {name: (count[False], count[True]) for name, count in found.items()}

    opened = [issue for issue in issues if not issue["closed_on"]]
    assert (data["open"], data["closed"]) == (len(opened), len(issues) - len(opened))
    assert data["overdue"] == sum(1 for issue in opened if issue["due_date"])
    assert by_name(data["by_tracker"]) == counted("tracker")
    assert by_name(data["by_priority"]) == counted("priority")
    assert by_name(data["by_version"]) == counted("fixed_version")
    assert by_name(data["by_assignee"]) == counted("assigned_to")
    assert data["estimated"]["sum"] == sum(issue["estimated_hours"] or 0 for issue in issues)
    assert data["spent"]["sum"] == sum(entry["hours"] for entry in entries)


async def test_it_is_short_and_bounded(redmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines; of a large project from a few dozen small answers, four at a time."""
    monkeypatch.setattr(counting, "READ_AT_ONCE", -1)
    async with redmine.client() as client:
        await summary(client, project="beta")
        redmine.way.seen.clear()
        text = text_of(await summary(client, project="alpha"))

    calls, size = len(redmine.way.seen), sum(asked.size for asked in redmine.way.seen)
    assert len(text.encode()) <= 600, f"a model reads {len(text.encode())} bytes:\n{text}"
    assert calls <= CALLS, f"{calls} calls"
    assert size <= BYTES, f"{size} bytes from Redmine"
    counts = [asked.size for asked in redmine.way.seen if "offset=100000000" in asked.query]
    assert len(counts) > calls / 2
    assert max(counts) < 100, "a count reads no issue"


@pytest.mark.usefixtures("either_way")
async def test_subprojects_count_if_asked(redmine: Any) -> None:
    """Whose issues belong to no version of this project stand with the others."""
    async with redmine.client() as client:
        alone = (await summary(client, project="alpha")).structured_content
        together = (await summary(client, project="alpha", subprojects=True)).structured_content

    assert together["open"] > alone["open"]
    for field in ("by_tracker", "by_priority", "by_version", "by_assignee"):
        assert sum(opened for opened, _ in by_name(together[field]).values()) == together["open"]


@pytest.mark.usefixtures("either_way")
async def test_stale_is_as_old_as_one_says(redmine: Any) -> None:
    """The seed's issues were last touched long before ten years have gone by since."""
    async with redmine.client() as client:
        month = (await summary(client, project="alpha")).structured_content
        decade = (await summary(client, project="alpha", stale_days=3650)).structured_content

    assert month["stale"] > 0
    assert decade["stale"] == 0


@pytest.mark.usefixtures("either_way")
async def test_hours_spent_are_for_those_who_may_see_them(sign_in: Any) -> None:
    """Without the scope the estimates are told, and that the rest is not shown."""
    async with sign_in("alice", "view_project", "view_issues") as client:
        result = await summary(client, project="alpha")

    assert result.structured_content["estimated"]["sum"] > 0
    assert "spent" not in result.structured_content
    assert "Hours spent are not shown to you." in text_of(result)


async def test_a_project_without_issues_is_told_apart_from_an_empty_one(written: Any) -> None:
    """Where issue tracking is off there is nothing to count, rather than none."""
    async with written.client() as client:
        await client.call_tool("update_project", {"project": "alpha", "modules": ["wiki"]})
        arguments = {"project": "alpha"}
        result = await client.call_tool("project_summary", arguments, raise_on_error=False)
    assert "The issues of this project are not shown to you" in text_of(result)


class Huge:
    """A Redmine with as many issues and time entries as one likes, and 40 versions and members."""

    def __init__(self, issues: int, sharing: str = "none") -> None:
        self.issues = issues
        self.sharing = sharing
        self.asked: list[str] = []
        self.bytes = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        response = httpx.Response(200, json=self._json(request.url))
        self.bytes += len(response.content)
        return response

    def _json(self, url: httpx.URL) -> dict[str, Any]:
        what = url.path.rpartition("/")[2].removesuffix(".json")
        many = [{"id": n, "name": f"N{n}"} for n in range(1, 41)]
        project = {"id": 1, "name": "Huge"}
        match what:
            case "versions":
                version = {"status": "open", "sharing": self.sharing, "project": project}
                return {"versions": [item | version for item in many]}
            case "memberships":
                return {"memberships": [{"user": item} for item in many], "total_count": 40}
            case "issue_priorities":
                return {"issue_priorities": many[:5]}
            case "issues" | "time_entries":
                field = {"issues": "estimated_hours", "time_entries": "hours"}[what]
                left = max(0, self.issues - int(url.params.get("offset", 0)))
                rows = [{"id": 1, field: 2.5}] * min(int(url.params["limit"]), left)
                return {what: rows, "total_count": self.issues, "offset": 0}
            case "huge":
                facts = {"identifier": "huge", "trackers": many[:3], "status": 1}
                return {"project": project | facts}
        return {"version": {"id": 1, "estimated_hours": 10.0, "spent_hours": 4.0}}


async def summed_up(redmine: Huge) -> Any:
    transport = httpx.MockTransport(redmine.answer)
    async with client_for(plugin, redmine=transport, token="any") as client:
        return await summary(client, project="huge")


async def test_the_cost_does_not_grow_with_the_project() -> None:
    """A million issues take as many questions as two hundred, and hardly a byte more."""
    small, huge = Huge(200), Huge(1_000_000)
    await summed_up(small)
    await summed_up(huge)

    assert len(huge.asked) <= len(small.asked) <= 140, f"{len(small.asked)} calls"
    assert huge.bytes < small.bytes + 10 * len(small.asked)


async def test_what_a_sum_leaves_out_is_said() -> None:
    """The hours of the versions and of the largest hundred are there, and the rest bounded."""
    text = text_of(await summed_up(Huge(1_000)))

    assert "Hours: at least 400 h estimated, at least 560 h spent" in text
    assert "900 estimates of at most 2.5 h each are not in the sum." in text
    assert "1800 time entries of at most 2.5 h each are not in the sum." in text


async def test_a_shared_version_is_not_taken_for_the_projects_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sums would hold the hours of other projects' issues."""
    monkeypatch.setattr(counting, "READ_AT_ONCE", -1)
    redmine = Huge(50, sharing="descendants")
    text = text_of(await summed_up(redmine))

    assert not [path for path in redmine.asked if path.startswith("/versions/")]
    assert "Hours: 125 h estimated, 125 h spent" in text
