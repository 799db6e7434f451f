"""Whether Redmine knows our OAuth application, and whether sign-ins get what they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.checks import State, application
from tests.support.forms import Browser
from tests.support.servers import Target, settings_for
from tests.support.sign_in import log_in_to_redmine


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, State.OK),
        ({"redmine_client_secret": "another-secret-of-many-letters"}, State.FAIL),
        ({"redmine_client_id": "unknown"}, State.FAIL),
        ({"redmine_client_secret": None, "jwt_signing_key": "k" * 32}, State.FAIL),
    ],
    ids=["right", "wrong secret", "unknown id", "no secret"],
)
async def test_the_application_is_known(
    redmine: Target, change: dict[str, Any], state: State
) -> None:
    """Client ID and secret are tried without a person."""
    finding = await application.credentials(settings_for(redmine, 8000, **change))

    assert finding.state is state
    assert bool(finding.advice) == (state is not State.OK)


@pytest.mark.parametrize(
    ("scopes", "denied", "state"),
    [(["view_issues"], False, State.OK), (["view_issues"], True, State.WARN)],
    ids=["allowed", "denied"],
)
async def test_a_sign_in_on_trial(
    redmine: Target, scopes: list[str], *, denied: bool, state: State
) -> None:
    """A person signs in once; the address at which the browser ends tells the rest."""
    settings = settings_for(redmine, 8000)
    trial = application.Trial(settings, scopes)
    async with Browser(settings.callback_url) as browser:
        await browser.visit(trial.url)
        if denied:
            arrived = f"{settings.callback_url}?error=access_denied&state={trial.state}"
        else:
            await log_in_to_redmine(browser, "alice", "password1234")
            arrived = str(browser.arrived)
    finding = await trial.judge(arrived)

    assert finding.state is state
    assert (await trial.judge(f"{redmine.url}/oauth/authorize?x=1")).state is State.FAIL


async def test_what_sign_ins_tell() -> None:
    """Those so far say whether every scope was granted to somebody."""
    settings = settings_for(Target("http://redmine.test", "id", "s" * 16), 8000)
    some = [(1.0, ["view_issues"])]

    assert application.granted(settings, ["view_issues"], some).state is State.OK
    lacking = application.granted(settings, ["view_issues", "log_time"], some)
    assert lacking.state is State.WARN
    assert "log_time" in lacking.what
    assert "there was none yet" in application.granted(settings, ["view_issues"], []).what
