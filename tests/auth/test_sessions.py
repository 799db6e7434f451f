"""After the sign-in: tokens that expire, are revoked, or belong to somebody who was locked."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from redmine_mcp_core.auth.api_keys import KeyVerifier
from redmine_mcp_core.auth.verifier import RedmineTokenVerifier
from redmine_mcp_core.redmine import Gateway
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import refresh, sign_in
from tests.support.signed_in import let_expire, ping, redmine_token, sandbox_of

INFO = "/oauth/token/info"


async def test_a_token_is_checked_once_in_half_a_minute(server: Running) -> None:
    """Twenty calls ask Redmine once whether the token is good."""
    tokens = await sign_in(server.url)
    before = sandbox_of(server).hits(INFO)
    for _ in range(20):
        assert (await ping(server, tokens.access)).status_code == 200

    assert sandbox_of(server).hits(INFO) - before == 1


async def test_a_token_of_ours_is_not_one_of_redmines(server: Running) -> None:
    """Neither a made-up token nor Redmine's own is accepted: only what we issued."""
    await sign_in(server.url)

    assert (await ping(server, "made-up")).status_code == 401
    assert (await ping(server, redmine_token(server))).status_code == 401


async def test_a_refresh_token_opens_nothing(server: Running) -> None:
    """A refresh token is no access token."""
    tokens = await sign_in(server.url)

    assert (await ping(server, tokens.refresh)).status_code == 401


async def test_an_expired_redmine_token_is_renewed_in_passing(server: Running) -> None:
    """The two hours of a Redmine token end without the client noticing."""
    tokens = await sign_in(server.url)
    old = redmine_token(server)
    await let_expire(server, tokens)

    assert (await ping(server, tokens.access)).status_code == 200
    assert old != redmine_token(server)


async def test_refreshing_gives_new_tokens(server: Running) -> None:
    """A client's refresh rotates its tokens, and the new ones work."""
    tokens = await sign_in(server.url)
    answer = await refresh(server.url, tokens)

    assert answer.status_code == 200
    assert tokens.refresh != answer.json()["refresh_token"]
    assert (await ping(server, answer.json()["access_token"])).status_code == 200


async def test_a_token_revoked_in_redmine_says_so_once_and_then_ends(server: Running) -> None:
    """Redmine's refusal reaches the model as one sentence, and the next request as a 401."""
    tokens = await sign_in(server.url)
    async with Client(f"{server.url}/mcp", auth=tokens.access) as client:
        await client.call_tool("get_issue_details", {"issue_id": 1})
        sandbox_of(server).revoke(redmine_token(server))
        with pytest.raises(ToolError, match=r"expired or was revoked.*\[unauthorized\]"):
            await client.call_tool("get_issue_details", {"issue_id": 1})

    assert (await ping(server, tokens.access)).status_code == 401


async def test_a_user_locked_in_redmine_is_told(server: Running) -> None:
    """Redmine answers 500 to everything; the model hears of the account instead."""
    tokens = await sign_in(server.url, "dave")
    sandbox_of(server).lock("dave")
    async with Client(f"{server.url}/mcp", auth=tokens.access) as client:
        with pytest.raises(ToolError, match=r"locked account.*\[account_locked\]"):
            await client.call_tool("get_issue_details", {"issue_id": 1})


async def test_an_outage_is_no_refusal(sandbox: Target) -> None:
    """While Redmine cannot be asked the answer is 503 with Retry-After, and then all is well."""
    async with running_server(sandbox, redmine_timeout=0.5) as server:
        tokens = await sign_in(server.url)
        sandbox_of(server).outage = True
        during = await ping(server, tokens.access)
        sandbox_of(server).outage = False
        after = await ping(server, tokens.access)

    assert during.status_code == 503
    assert during.headers["retry-after"] == "5"
    assert after.status_code == 200


async def test_an_outage_during_a_renewal_keeps_the_sign_in(sandbox: Target) -> None:
    """Both renewals, in passing and by the client, answer 503 and lose nothing."""
    async with running_server(sandbox, redmine_timeout=0.5) as server:
        tokens = await sign_in(server.url)
        await let_expire(server, tokens)
        sandbox_of(server).outage = True
        in_passing = await ping(server, tokens.access)
        by_the_client = await refresh(server.url, tokens)
        sandbox_of(server).outage = False
        after = await refresh(server.url, tokens)

    assert in_passing.status_code == 503
    assert by_the_client.status_code == 503
    assert "retry-after" in by_the_client.headers
    assert after.status_code == 200


async def test_the_verifier_refuses_what_is_not_ours_or_unlimited(sandbox: Target) -> None:
    """A token of another application is refused, and one without scopes, which Redmine takes for
    unlimited."""
    assert sandbox.sandbox is not None
    ours = sandbox.sandbox.grant("alice", ["view_issues"]).access_token
    empty = sandbox.sandbox.grant("alice", []).access_token
    async with Gateway(sandbox.url) as gateway:
        verifier = RedmineTokenVerifier(gateway, sandbox.client_id, KeyVerifier(gateway))
        elsewhere = RedmineTokenVerifier(gateway, "another-application", KeyVerifier(gateway))

        assert (await verifier.verify_token(ours)) is not None
        assert (await elsewhere.verify_token(ours)) is None
        assert (await verifier.verify_token(empty)) is None


async def test_two_people_never_meet(server: Running) -> None:
    """Calls of two users, interleaved, each see their own Redmine."""
    people = {login: await sign_in(server.url, login) for login in ("alice", "carol")}

    async def who(login: str) -> str:
        async with Client(f"{server.url}/mcp", auth=people[login].access) as client:
            return str((await client.read_resource("redmine://users/me"))[0].text)

    logins = ["alice", "carol"] * 10
    answers = await asyncio.gather(*(who(login) for login in logins))

    assert all(
        json.loads(answer)["login"] == login for login, answer in zip(logins, answers, strict=True)
    )


async def test_an_unknown_and_a_private_issue_sound_the_same(redmine: Target) -> None:
    """Carol cannot tell an issue of a project that is hidden from her from one there is not."""
    async with running_server(redmine) as server:
        tokens = await sign_in(server.url, "carol")
        async with Client(f"{server.url}/mcp", auth=tokens.access) as client:
            missing = await client.call_tool(
                "get_issue_details", {"issue_id": 99999}, raise_on_error=False
            )
            private = await client.call_tool(
                "get_issue_details", {"issue_id": PRIVATE_ISSUE}, raise_on_error=False
            )

    assert missing.is_error
    assert private.is_error
    assert (
        missing.content[0].text == "Issue #99999 does not exist, or you may not see it. [not_found]"
    )
    assert (
        f"Issue #{PRIVATE_ISSUE} does not exist, or you may not see it." in private.content[0].text
    )


PRIVATE_ISSUE = 43
