"""The sandbox as a plugin: the Redmine behind ``redmine-mcp demo``."""

from __future__ import annotations

from starlette.types import ASGIApp

from redmine_mcp_core import DemoAccount, DemoRedmine, hookimpl
from redmine_mcp_sandbox.sandbox import Sandbox
from redmine_mcp_sandbox.seed import load_seed

ABILITIES = {
    "alice": "manages alpha and the private gamma, develops in beta",
    "bob": "develops in alpha and gamma, reports in beta",
    "carol": "reports in alpha, cannot see gamma or private notes",
}


class SandboxPlugin:
    """Offers a fresh sandbox for each demo."""

    api_version = 1

    @hookimpl
    def offer_demo(self) -> DemoRedmine:
        seed = load_seed()
        application = seed.oauth_applications[0]
        return DemoRedmine(
            create_app=_create_app,
            client_id=application.uid,
            client_secret=application.secret,
            accounts=[
                DemoAccount(user.login, user.password, ABILITIES[user.login])
                for user in seed.users
                if user.login in ABILITIES
            ],
        )


def _create_app(base_url: str) -> ASGIApp:
    return Sandbox(base_url).app


plugin = SandboxPlugin()
