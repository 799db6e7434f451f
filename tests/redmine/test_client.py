"""Redmine as one caller sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.redmine import (
    AccountLocked,
    BadArgument,
    Credential,
    Forbidden,
    Gateway,
    NotFound,
    Redmine,
    ServerError,
    Unauthorized,
)

URL = "http://redmine.test"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(URL)


@pytest.fixture
async def gateway(sandbox: Sandbox) -> AsyncIterator[Gateway]:
    transport = httpx.ASGITransport(sandbox.app)
    async with Gateway(URL, transport=transport, backoff=0.001) as gateway:
        yield gateway


def token(sandbox: Sandbox, login: str = "alice") -> str:
    return sandbox.grant(login, ["view_issues"]).access_token


async def test_a_locked_user_is_told_so(sandbox: Sandbox, gateway: Gateway) -> None:
    """Redmine fails with 500 for a locked user; the person hears what it means."""
    redmine = Redmine(gateway, Credential.bearer(token(sandbox)))
    sandbox.lock("alice")

    with pytest.raises(AccountLocked):
        await redmine.get("/issues/1.json")
    with pytest.raises(AccountLocked):
        await redmine.account()


async def test_a_500_of_one_page_is_no_locked_user() -> None:
    """Where Redmine answers other questions, the account is not to blame."""

    def answer(request: httpx.Request) -> httpx.Response:
        broken = request.url.path == "/issues/1.json"
        return httpx.Response(500 if broken else 200, json={"user": {"id": 5}})

    async with Gateway(URL, transport=httpx.MockTransport(answer)) as gateway:
        redmine = Redmine(gateway, Credential.bearer("token"))
        with pytest.raises(ServerError):
            await redmine.get("/issues/1.json")


async def test_a_refused_token_is_reported_at_once(sandbox: Sandbox, gateway: Gateway) -> None:
    """Who keeps tokens learns of the refusal, so that a revocation takes effect at once."""
    revoked = token(sandbox)
    sandbox.revoke(revoked)
    refusals: list[str] = []
    redmine = Redmine(
        gateway, Credential.bearer(revoked), on_unauthorized=lambda: refusals.append("refused")
    )

    with pytest.raises(Unauthorized):
        await redmine.get("/issues/1.json")

    assert refusals == ["refused"]


@pytest.mark.parametrize(
    ("login", "path", "error"),
    [("alice", "/issues/999.json", NotFound), ("carol", "/issues/43.json", Forbidden)],
)
async def test_other_refusals_are_not_the_tokens_fault(
    sandbox: Sandbox, gateway: Gateway, login: str, path: str, error: type[Exception]
) -> None:
    """Not found and not allowed leave the sign-in as it is."""
    refusals: list[str] = []
    redmine = Redmine(
        gateway,
        Credential.bearer(token(sandbox, login)),
        on_unauthorized=lambda: refusals.append("refused"),
    )

    with pytest.raises(error):
        await redmine.get(path)

    assert refusals == []


async def test_the_account_has_no_api_key(sandbox: Sandbox, gateway: Gateway) -> None:
    """Redmine shows a caller by API key that key; it stays inside the client."""
    credential = Credential.api_key(sandbox.api_key("alice"))
    raw = await gateway.request("GET", "/my/account.json", credential=credential)

    account = await Redmine(gateway, credential).account()

    assert sandbox.api_key("alice") == raw["user"]["api_key"]
    assert account["login"] == "alice"
    assert "api_key" not in account


async def test_a_client_shows_no_credential(sandbox: Sandbox, gateway: Gateway) -> None:
    """Its repr names the Redmine and nothing else."""
    secret = token(sandbox)

    assert repr(Redmine(gateway, Credential.bearer(secret))) == "Redmine('http://redmine.test')"


async def test_reference_data_is_asked_once_for_everybody(
    sandbox: Sandbox, gateway: Gateway
) -> None:
    """The second caller costs Redmine nothing."""
    alice = Redmine(gateway, Credential.bearer(token(sandbox, "alice")))
    bob = Redmine(gateway, Credential.bearer(token(sandbox, "bob")))

    names = await alice.names("issue_statuses")

    assert {1: "New", 2: "In Progress"}.items() <= names.items()
    assert names == await bob.names("issue_statuses")
    assert sandbox.hits("/issue_statuses.json") == 1


async def test_each_kind_of_reference_data(sandbox: Sandbox, gateway: Gateway) -> None:
    """Trackers, priorities and activities have their own lists."""
    redmine = Redmine(gateway, Credential.bearer(token(sandbox)))

    assert (await redmine.names("trackers"))[1] == "Bug"
    assert (await redmine.names("issue_priorities"))[4] == "Urgent"
    assert (await redmine.names("time_entry_activities"))[9] == "Development"


async def test_names_in_every_project(sandbox: Sandbox, gateway: Gateway) -> None:
    """Where no project is named, those of all that the caller sees count; each list is kept."""
    granted = sandbox.grant(
        "alice", ["view_issues", "view_project", "view_time_entries"]
    ).access_token
    redmine = Redmine(gateway, Credential.bearer(granted))

    assert set((await redmine.names("versions")).values()) == {"1.0", "1.1", "2.0", "0.1", "M1"}
    assert (await redmine.names("project_activities"))[9] == "Development"
    before = len(sandbox.requests)
    assert await redmine.id_of("versions", "M1") == 5
    assert len(sandbox.requests) == before


async def test_names_in_too_many_projects(sandbox: Sandbox, gateway: Gateway) -> None:
    """The caller is asked to name one."""
    redmine = Redmine(gateway, Credential.bearer(token(sandbox)))
    projects = sandbox._world.projects
    for number in range(20):
        projects.add(replace(projects[1], identifier=f"p{number}", enabled_modules=()))

    with pytest.raises(BadArgument, match="Name the project: there are 23 of them"):
        await redmine.names("members")


async def test_a_failure_is_not_kept_as_reference_data(sandbox: Sandbox, gateway: Gateway) -> None:
    """After an outage the names are asked for again."""
    redmine = Redmine(gateway, Credential.bearer(token(sandbox)))
    sandbox.outage = True
    with pytest.raises(ServerError):
        await redmine.names("trackers")
    sandbox.outage = False

    assert (await redmine.names("trackers"))[1] == "Bug"


@pytest.mark.parametrize("verb", ["post", "put"])
async def test_writes_send_their_body(verb: str) -> None:
    """What is created or changed is what was given."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    async with Gateway(URL, transport=httpx.MockTransport(answer)) as gateway:
        redmine = Redmine(gateway, Credential.bearer("token"))
        assert await getattr(redmine, verb)("/issues/1.json", {"issue": {"notes": "Hi"}}) == {}
        assert await redmine.delete("/issues/1.json", todo="destroy") == {}

    assert [verb.upper(), "DELETE"] == [request.method for request in seen]
    assert seen[0].content == b'{"issue":{"notes":"Hi"}}'
    assert seen[1].url.query.decode() == "todo=destroy"
