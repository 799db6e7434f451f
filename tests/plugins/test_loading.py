"""Plugins are loaded one by one: one that fails is named with its reason and harms no other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from redmine_mcp_core import Event, Refusal, TokenStoreBackend, ToolCall, hookimpl
from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import PluginProblem, Plugins
from redmine_mcp_core.testing.client import Announced
from redmine_mcp_core.tools.components import Components
from tests.plugins.making import GOOD, announced, discover, tool_names, with_tool

OURS = "issues projects prompts sandbox storage_redis storage_sqlite time wiki".split()


def raising(error: BaseException) -> Callable[[], object]:
    def load() -> object:
        raise error

    return load


class NoVersion:
    @hookimpl
    def on_event(self, event: Event) -> None: ...


class FromTheFuture(NoVersion):
    api_version = 99


class UnknownHook:
    api_version = 1

    @hookimpl
    def on_evnt(self, event: Event) -> None: ...


class UnknownArgument:
    api_version = 1

    @hookimpl
    def on_event(self, event: Event, extra: int) -> None: ...


class RaisesOnRegistration:
    api_version = 1

    @hookimpl
    def register_components(self, components: Components) -> None:
        components.include(with_tool("half"))
        raise ValueError("no configuration")


class RaisesOnStores:
    api_version = 1

    @hookimpl
    def register_components(self, components: Components) -> None:
        components.include(with_tool("half"))

    @hookimpl
    def register_token_stores(self) -> list[TokenStoreBackend]:
        raise ValueError("no database")


class AsyncRule:
    api_version = 1

    @hookimpl
    async def before_tool_call(self, call: ToolCall) -> None:
        raise Refusal(call.declaration.name)


class AsyncObserver:
    api_version = 1

    @hookimpl
    async def on_event(self, event: Event) -> None: ...


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (raising(ImportError("No module named 'ldap'")), "No module named 'ldap'"),
        (raising(SyntaxError("invalid syntax")), "SyntaxError"),
        (NoVersion, "declares no api_version"),
        (FromTheFuture, "written for API version 99, this host speaks 1"),
        (UnknownHook, "no hook on_evnt"),
        (UnknownArgument, "on_event asks for extra"),
        (RaisesOnRegistration, "ValueError: no configuration"),
        (RaisesOnStores, "ValueError: no database"),
        (AsyncRule, "before_tool_call"),
        (AsyncObserver, "on_event"),
        (partial(with_tool, "look"), "“strange” claims the tool look, which “good” has"),
    ],
    ids=[
        "import fails",
        "syntax error",
        "no version",
        "other version",
        "unknown hook",
        "unknown argument",
        "registration fails",
        "stores fail",
        "async rule",
        "async observer",
        "tool taken",
    ],
)
def test_a_plugin_that_fails_is_left_out_with_its_reason(
    load: Callable[[], object], reason: str
) -> None:
    """The others work, before it and after it; of it nothing is left behind."""
    last = announced("zoo", with_tool("feed"))

    plugins = discover(GOOD, Announced("strange", load), last)

    assert list(plugins.problems) == ["strange"]
    assert reason in plugins.problems["strange"]
    assert "\n" not in plugins.problems["strange"]
    assert tool_names(plugins) == ["look", "feed"]
    assert plugins.token_stores == []


def test_a_builtin_that_fails_stops_everything() -> None:
    """A server without its scope rule must not start."""
    with pytest.raises(PluginProblem, match="scope_rule"):
        Plugins.discover(builtin=[("scope_rule", UnknownHook())], installed=[])


def test_a_name_is_free_again_after_its_plugin_failed() -> None:
    """What a failed plugin claimed does not keep a working one out."""
    plugins = discover(Announced("a", RaisesOnStores), announced("b", with_tool("half")), GOOD)

    assert list(plugins.problems) == ["a"]
    assert tool_names(plugins) == ["half", "look"]


def test_a_missing_plugin_is_named_with_what_to_install() -> None:
    """What a plugin needs to work is one sentence: the reason, or the package."""
    plugins = discover(GOOD, Announced("strange", NoVersion))

    missing = plugins.missing(["good", "strange", "storage_redis"])

    assert missing == {
        "strange": "It declares no api_version; this host speaks 1.",
        "storage_redis": "it is not installed: pip install redmine-mcp-storage-redis",
    }


def test_a_report_tells_all_of_a_plugin() -> None:
    """For people and programs: what it is called, what it adds, what is wrong."""
    plugins = discover(GOOD, Announced("strange", NoVersion))

    good, strange = (report.as_dict() for report in plugins.reports)

    assert good == {
        "name": "good",
        "distribution": "",
        "version": "",
        "state": "loaded",
        "problem": None,
        "tools": ["look"],
        "resources": [],
        "prompts": [],
        "token_stores": [],
        "hooks": ["register_components"],
        "scopes": ["view_issues"],
    }
    assert strange["state"] == "failed"
    assert strange["problem"]


def test_the_plugins_of_this_repository_all_load() -> None:
    """Installed as distributions, in any order, without a problem."""
    plugins = Plugins.discover(builtin=builtin_plugins(Metrics()))
    ours = {report.name: report for report in plugins.reports if report.name in OURS}

    assert sorted(ours) == OURS
    assert plugins.problems == {}
    assert [report.distribution for report in ours.values()] == [
        f"redmine-mcp-{name.replace('_', '-')}" for name in ours
    ]
    assert plugins.missing(OURS) == {}
