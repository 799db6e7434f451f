"""What those who watch the requests to Redmine are told of each, and what not."""

from __future__ import annotations

import httpx
import pytest

from redmine_mcp_core.redmine import Invalid, NotFound, RedmineError, ServerError, TimedOut
from tests.redmine.networks import Outcome, Script, gateway, ok


class Seen:
    """One observed request, and how it ended."""

    def __init__(self, method: str, path: str, kept: list[Seen]) -> None:
        self.headers = {"X-Request-Id": "request-4711"}
        self.told: tuple[str, str, str, int | None] = (method, path, "", None)
        kept.append(self)

    def end(self, outcome: str, status: int | None) -> None:
        self.told = (*self.told[:2], outcome, status)


async def test_what_the_observer_sends_along_goes_with_each_request() -> None:
    """So that it is found again in Redmine's own log."""
    script = Script(ok())

    async with gateway(script, observe=lambda method, path: Seen(method, path, [])) as redmine:
        await redmine.request("GET", "/issues.json")

    assert script.seen[-1].headers["x-request-id"] == "request-4711"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/issues/4711.json", "/issues/:id.json"),
        ("/issues/12/relations.json", "/issues/:id/relations.json"),
        ("/users/5.json", "/users/:id.json"),
        ("/search.json", "/search.json"),
    ],
)
async def test_the_observer_sees_no_id_and_no_query(path: str, shown: str) -> None:
    """Who reads the metrics does not learn who reads which issue."""
    seen: list[Seen] = []

    async with gateway(
        Script(ok()), observe=lambda method, path: Seen(method, path, seen)
    ) as redmine:
        await redmine.request("GET", path, params={"q": "salary"})

    assert [("GET", shown, "ok", 200)] == [one.told for one in seen]


@pytest.mark.parametrize(
    ("outcomes", "error", "told"),
    [
        ([httpx.Response(503), ok()], None, ["server_error", "ok"]),
        ([httpx.Response(404)], NotFound, ["not_found"]),
        ([httpx.Response(422)], Invalid, ["invalid"]),
        ([httpx.Response(500)], ServerError, ["server_error"]),
        ([httpx.ConnectError("refused"), ok()], None, ["unreachable", "ok"]),
        ([httpx.ReadTimeout("slow")], TimedOut, ["timed_out"]),
        ([httpx.ReadError("reset"), ok()], None, ["connection_lost", "ok"]),
    ],
    ids=str,
)
async def test_the_observer_is_told_of_each_try(
    outcomes: list[Outcome], error: type[RedmineError] | None, told: list[str]
) -> None:
    """Each request over the wire counts once, with how it ended and how long it took."""
    seen: list[Seen] = []

    async with gateway(
        Script(*outcomes), observe=lambda method, path: Seen(method, path, seen)
    ) as redmine:
        if error is None:
            await redmine.request("GET", "/issues.json")
        else:
            with pytest.raises(error):
                await redmine.request("GET", "/issues.json")

    assert told == [one.told[2] for one in seen]
    answers = [one.status_code if isinstance(one, httpx.Response) else None for one in outcomes]
    assert answers == [one.told[3] for one in seen]
