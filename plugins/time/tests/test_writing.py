"""log_time, update_time_entry and delete_time_entry: what they write, and what they tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import MemoryStore, client_for, text_of, unmarked
from redmine_mcp_core.testing.fixtures import SignIn, Target

LOG, UPDATE, DELETE = "log_time", "update_time_entry", "delete_time_entry"
DAY = {"spent_on": "2026-03-01", "activity": "Design"}


@pytest.fixture
async def alice(sandbox: Sandbox, plugin: Any) -> AsyncIterator[Client[Any]]:
    """alice, before the sandbox, with all that the plugin can use."""
    async with Target(plugin, sandbox).client() as client:
        yield client


async def test_time_is_logged(written: Target, told: Any) -> None:
    """On an issue or on a project, by names; the answer is what Redmine made of it. One call."""
    async with written.client() as client:
        issue = await told(client, LOG, hours="1:20", issue="#12", comments="review", **DAY)
        written.way.seen.clear()
        again = await told(client, LOG, hours="1h30", issue=12, **DAY)
        calls = len(written.way.seen)
        project = await told(client, LOG, hours=2, project="Beta", user="Bob Builder", **DAY)
        other = await told(client, LOG, hours=2, project="alpha", user="Bob Builder", **DAY)
        today: Any = await client.call_tool(
            LOG, {"hours": 0.5, "issue": 12, "activity": "9", "spent_on": "today"}
        )

    assert issue.splitlines() == [
        "Logged as time entry 11.",
        "[11] 2026-03-01 1.33 h #12, Alpha, Alice Ace, Design: review",
    ]
    assert "[12] 2026-03-01 1.5 h #12" in again
    assert calls == 1
    assert "log_time_for_other_users" in project  # alice is no manager there
    assert "[13] 2026-03-01 2 h Alpha, Bob Builder, Design" in other
    assert today.structured_content["entry"]["activity"] == "Development"


async def test_why_time_is_not_logged(redmine: Target, told: Any) -> None:
    """Redmine says little: each answer names what would do. Nothing is written."""
    async with redmine.client() as client, redmine.client("dave") as dave:
        assert "Activities are: Design, Development" in await told(client, LOG, hours=1, issue=12)
        assert "There are: Design, Development" in await told(
            client, LOG, hours=1, issue=12, activity="Cooking"
        )
        assert "Issue #9999 does not exist" in await told(client, LOG, hours=1, issue=9999, **DAY)
        assert "There are: Alpha, Beta" in await told(client, LOG, hours=1, project="x", **DAY)
        assert "There are: Alice Ace" in await told(
            client, LOG, hours=1, issue=12, user="Nobody", **DAY
        )
        assert "log_time in Alpha" in await told(dave, LOG, hours=1, issue=12, **DAY)
        assert "your role needs log_time" in await told(dave, LOG, hours=1, project="alpha", **DAY)
        assert "does not exist" in await told(dave, LOG, hours=1, issue=43, **DAY)
        listed = await told(client, "list_time_entries")

    assert listed.splitlines()[-1] == "1-10 of 10; 22.75 h in all"


class OwnActivities(httpx.AsyncBaseTransport):
    """A Redmine whose project alpha has a Design of its own, id 18, and no Development.

    As a real one answers where somebody changed a project's activities in its settings.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread() or b"{}")
        entry = body.get("time_entry")
        if request.method == "POST" and entry and entry.get("issue_id") == 12:
            if entry["activity_id"] != 18:
                errors = ["Activity is not included in the list"]
                return httpx.Response(422, json={"errors": errors})
            entry["activity_id"] = 8
            request = httpx.Request("POST", request.url, json=body, headers=_plain(request))
        response = await self._inner.handle_async_request(request)
        if request.url.path == "/projects/1.json":
            project = json.loads(await response.aread())
            project["project"]["time_entry_activities"] = [{"id": 18, "name": "Design"}]
            return httpx.Response(200, json=project)
        return response


def _plain(request: httpx.Request) -> dict[str, str]:
    return {"Authorization": request.headers["Authorization"], "Host": request.url.host}


async def test_a_project_may_have_activities_of_its_own(
    sandbox: Sandbox, plugin: Any, told: Any
) -> None:
    """Of an issue the project is looked up only where Redmine refuses the shared activity."""
    way = OwnActivities(httpx.ASGITransport(sandbox.app))
    token = sandbox.grant("alice", plugin.scopes).access_token
    async with client_for(plugin, redmine=way, token=token) as client:
        dry = await told(client, LOG, hours=1, issue=12, dry_run=True, **DAY)
        logged = await told(client, LOG, hours=1, issue=12, **DAY)
        wrong = await told(client, LOG, hours=1, issue=12, activity="Development")
        bare = await told(client, LOG, hours=1, project="alpha", activity="Development")

    assert "Nothing speaks against it." in dry
    assert logged.startswith("Logged as time entry 11.")
    assert "no activity “Development” here. There are: Design." in wrong
    assert "no activity “Development” here. There are: Design." in bare


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"hours": "long", "issue": 1}, "like 1.5, 1:30 or 1h30"),
        ({"hours": -1, "issue": 1}, "like 1.5, 1:30 or 1h30"),
        ({"hours": 1}, "either an issue or a project"),
        ({"hours": 1, "issue": 1, "project": "alpha"}, "either an issue or a project"),
        ({"hours": 1, "issue": "the login"}, "number of an issue"),
        ({"hours": 1, "issue": 1, "spent_on": "2026-02-30"}, "2026-01-31, or yesterday, today"),
        ({"hours": 1, "issue": 1, "comments": "x" * 1025}, "at most 1024"),
    ],
)
async def test_what_redmine_is_not_asked(
    alice: Client[Any], sandbox: Sandbox, told: Any, asked: dict[str, Any], sentence: str
) -> None:
    """A wrong argument is answered at once."""
    sandbox.requests.clear()

    assert sentence in await told(alice, LOG, **asked)
    assert not sandbox.requests


async def test_a_dry_run_writes_nothing(written: Target, told: Any) -> None:
    """Redmine itself judges the values, in a write that cannot succeed."""
    async with written.client() as client, written.client("dave") as dave:
        good = await told(client, LOG, hours=1, issue=12, comments="x", dry_run=True, **DAY)
        silent = await told(client, LOG, hours=1, issue=12, dry_run=True, **DAY)
        long = await told(client, LOG, hours=2000, issue=12, dry_run=True, **DAY)
        bare = await told(client, LOG, hours=1, issue=12, dry_run=True)
        nowhere = await told(client, LOG, hours=1, issue=9999, dry_run=True, **DAY)
        refused = await told(dave, LOG, hours=1, project="alpha", dry_run=True, **DAY)
        listed = await told(client, "list_time_entries")

    assert good == "Dry run: nothing was written.\nNothing speaks against it."
    assert silent.endswith("Not known: whether this Redmine wants a comment.")
    assert "It would fail: Cannot log more than 999:00 hours" in long
    assert "Activities are: Design, Development." in bare
    assert "It would fail: Issue #9999 does not exist" in nowhere
    assert "your role needs log_time" in refused
    assert listed.splitlines()[-1] == "1-10 of 10; 22.75 h in all"


async def test_yesterday_is_a_word(alice: Client[Any], sandbox: Sandbox) -> None:
    """In UTC, as the answer says."""
    answer: Any = await alice.call_tool(
        LOG, {"hours": 1, "issue": 12, "activity": "Design", "spent_on": "yesterday"}
    )
    today: Any = await alice.call_tool(LOG, {"hours": 1, "issue": 12, "activity": "Design"})

    days = [one.structured_content["entry"]["spent_on"] for one in (answer, today)]
    assert days[0] < days[1] == str(sandbox._world.today())


ONCE: dict[str, Any] = {"hours": 1.5, "issue": 12, "idempotency_key": "k", **DAY}


class TestOnce:
    """With an idempotency key, a call that is repeated logs nothing more."""

    async def test_a_repeat_returns_the_first(
        self, sandbox: Sandbox, plugin: Any, told: Any
    ) -> None:
        """On another replica as well; with other values the key is refused."""
        store, redmine = MemoryStore(), Target(plugin, sandbox)
        async with redmine.client(store=store) as one, redmine.client(store=store) as two:
            first: Any = await one.call_tool(LOG, ONCE)
            second: Any = await two.call_tool(LOG, ONCE)
            other = await told(two, LOG, **{**ONCE, "hours": 2})
            listed = await told(one, "list_time_entries", issue=12)

        assert second.structured_content["outcome"] == "exists"
        assert second.structured_content["id"] == first.structured_content["id"]
        assert "nothing was written" in text_of(second)
        assert "used for other values" in other
        assert listed.splitlines()[-1] == "1-2 of 2; 2.25 h in all"

    async def test_an_answer_that_got_lost_is_found_again(self, written: Target, told: Any) -> None:
        """The entry was made and the answer did not arrive: the repeat finds it in Redmine."""

        async def lost(asked: str) -> None:
            if asked == "POST /time_entries.json":
                raise httpx.ReadTimeout("the answer did not arrive")

        async with written.client() as client:
            written.way.after = lost
            first = await told(client, LOG, **ONCE)
            written.way.after = None
            second: Any = await client.call_tool(LOG, ONCE)
            listed = await told(client, "list_time_entries", issue=12)

        assert "It may still have done what was asked" in first
        assert second.structured_content["outcome"] == "exists"
        assert listed.splitlines()[-1] == "1-2 of 2; 2.25 h in all"


async def test_an_entry_is_changed(written: Target, told: Any) -> None:
    """Each attribute by name; what was and what is; one that is moved says so."""
    async with written.client() as client:
        hours = await told(client, UPDATE, entry_id=2, hours="2:30", comments="by alice")
        same = await told(client, UPDATE, entry_id=2, hours=2.5)
        elsewhere = await told(client, UPDATE, entry_id=2, project="beta")
        issue = await told(client, UPDATE, entry_id=2, issue=12, spent_on="2026-01-09")
        project = await told(
            client, UPDATE, entry_id=2, issue="", activity="Design", user="Alice Ace"
        )

    assert hours.splitlines() == [
        "Time entry 2 is changed.",
        "[2] 2026-01-08 2.5 h #1, Alpha, Bob Builder, Development: by alice",
        "Hours: 0.5 h → 2.5 h",
        "Comment: none → by alice",
    ]
    assert same.startswith("Time entry 2 is as it was.")
    assert 'say issue="" to log it on the project alone' in elsewhere
    assert issue.splitlines()[2:] == ["Issue: #1 → #12", "Date: 2026-01-08 → 2026-01-09"]
    assert project.splitlines()[2:] == [
        "Issue: #12 → none",
        "Activity: Development → Design",
        "User: Bob Builder → Alice Ace",
    ]


async def test_who_may_not_change_is_told_why(redmine: Target, told: Any) -> None:
    """A hidden entry and a missing one are told alike."""
    async with redmine.client("bob") as bob, redmine.client("carol") as carol:
        own = await told(bob, UPDATE, entry_id=3, hours=1)
        gone = await told(bob, DELETE, entry_id=3, confirm=True)
        hidden = await told(carol, UPDATE, entry_id=9, hours=1)
        missing = await told(carol, DELETE, entry_id=99, confirm=True)
        nothing = await told(bob, UPDATE, entry_id=3)

    assert "your role needs edit_time_entries" in own
    assert "your role needs edit_time_entries" in gone
    assert "Time entry 9 does not exist, or you may not see it" in hidden
    assert "Time entry 99 does not exist, or you may not see it" in missing
    assert "Nothing was asked to be changed" in nothing


@pytest.mark.parametrize(
    ("scopes", "tools"),
    [
        (("view_time_entries",), {"list_time_entries"}),
        (("log_time",), {LOG}),
        (("view_time_entries", "edit_own_time_entries"), {"list_time_entries", UPDATE, DELETE}),
    ],
)
async def test_a_sign_in_finds_what_it_may_do(
    sign_in: SignIn, scopes: tuple[str, ...], tools: set[str]
) -> None:
    """And nothing else."""
    async with sign_in("alice", *scopes) as client:
        found = text_of(await client.call_tool("find_tools", {"query": "time entry"}))

    assert {
        name for name in ("list_time_entries", LOG, UPDATE, DELETE) if f"### {name}\n" in found
    } == tools


async def test_who_may_only_log_has_the_shared_activities(sign_in: SignIn, told: Any) -> None:
    """Redmine shows a project's activities to those who may see its time."""
    async with sign_in("alice", "log_time", "view_project", "view_issues") as client:
        by_name = await told(client, LOG, hours=1, project="alpha", **DAY)
        bare = await told(client, LOG, hours=1, project="alpha")
    async with sign_in("alice", "log_time") as client:
        hidden = await told(client, LOG, hours=1, issue=12, **DAY)

    assert by_name.startswith("Logged as time entry 11.")
    assert "Activities are: Design, Development" in bare
    assert "Issue #12 does not exist, or you may not see it" in hidden


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("agrees", [True, False])
async def test_the_person_is_asked_before_an_entry_goes(
    alice: Client[Any], told: Any, mode: Any, agrees: bool
) -> None:
    """With all that goes; only a yes deletes, whatever the model says."""
    asked: list[str] = []

    async def answer(message: str, *_: Any) -> Any:
        asked.append(unmarked(message))
        if not agrees:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True, "value": True})

    async with Client(alice.transport, elicitation_handler=answer, mode=mode) as client:
        said = await told(client, DELETE, entry_id=1, confirm=True)

    assert asked[0].splitlines() == [
        "Delete this time entry for good?",
        "[1] 2026-01-07 1.25 h #1, Alpha, Alice Ace, Design: draft",
    ]
    assert ("Time entry 1 is deleted." in said) == agrees
    assert ("does not exist" in await told(alice, "list_time_entries", entry=1)) == agrees


async def test_an_entry_that_changed_meanwhile_stays(
    alice: Client[Any], sandbox: Sandbox, plugin: Any, told: Any
) -> None:
    """The person agreed to something else."""

    async def answer(*_: Any) -> Any:
        async with Target(plugin, sandbox).client() as other:
            await told(other, UPDATE, entry_id=1, hours=8)
        return ElicitResult(action="accept", content={"confirm": True, "value": True})

    async with Client(alice.transport, elicitation_handler=answer, mode="legacy") as client:
        said = await told(client, DELETE, entry_id=1)

    assert "This has changed since the question was asked" in said


async def test_a_client_that_cannot_ask_says_that_it_did(written: Target, told: Any) -> None:
    """First the question comes back, then the entry goes."""
    async with written.client() as client:
        asked = await told(client, DELETE, entry_id=2)
        gone = await told(client, DELETE, entry_id=2, confirm=True)
        left = await told(client, "list_time_entries", issue=1)

    assert "confirm=true" in asked
    assert gone.startswith("Time entry 2 is deleted.")
    assert left.splitlines()[-1] == "1-1 of 1; 1.25 h in all"
