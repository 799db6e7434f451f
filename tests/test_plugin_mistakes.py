"""What a stranger gets wrong in a first plugin is told in a sentence, and harms nobody else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from redmine_mcp_core import Event, Plugin, PluginMetrics, Result, hookimpl
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import OURS, Plugins, package_of

ROOT = Path(__file__).parent.parent


class Answer(Result):
    value: str = "here"

    def text(self) -> str:
        return self.value


@dataclass(frozen=True)
class Package:
    """What is read of a distribution's metadata."""

    name: str
    version: str = "1"


@dataclass(frozen=True)
class Entry:
    """An entry point of an installed package."""

    name: str
    plugin: object
    dist: Package

    def load(self) -> object:
        return self.plugin


def entry(name: str, plugin: object, package: str = "") -> EntryPoint:
    return cast("EntryPoint", Entry(name, plugin, Package(package or f"acme-{name}")))


def listing() -> Plugin:
    """A plugin with a tool ``list_issues``."""
    plugin = Plugin()

    @plugin.tool(title="List issues", scopes={"view_issues"}, read_only=True)
    async def list_issues() -> Answer:
        """List issues."""
        return Answer()

    return plugin


def problem_of(plugin: object) -> str:
    found = Plugins.discover(installed=[entry("strange", plugin)])
    return found.problems["strange"]


OUR_ISSUES = entry("issues", listing(), "redmine-mcp-issues")
TAKEN = "“{}” claims the tool list_issues, which “{}” has."


@pytest.mark.parametrize(
    ("stranger", "required", "problems"),
    [
        (entry("acme", listing()), [], {"acme": TAKEN.format("acme", "issues")}),
        (entry("zoo", listing()), [], {"zoo": TAKEN.format("zoo", "issues")}),
        (
            entry("acme", listing(), "redmine-mcp-acme"),
            [],
            {"acme": TAKEN.format("acme", "issues")},
        ),
        (entry("zoo", listing()), ["zoo"], {"issues": TAKEN.format("issues", "zoo")}),
        (
            entry("issues", listing()),
            ["issues"],
            {"issues": "redmine-mcp-issues already provides a plugin “issues”."},
        ),
    ],
    ids=["first by name", "last by name", "named like ours", "required", "our very name"],
)
def test_who_keeps_a_name_that_two_plugins_want(
    stranger: EntryPoint, required: list[str], problems: dict[str, str]
) -> None:
    """A required plugin, then one of ours, then whichever comes first by name."""
    found = Plugins.discover(installed=[stranger, OUR_ISSUES], required=required)
    left_out = [report.distribution for report in found.reports if report.problem]

    assert found.problems == problems
    assert left_out == ["redmine-mcp-issues" if required == ["zoo"] else stranger.dist.name]  # type: ignore[union-attr]


def test_strangers_come_by_name() -> None:
    """Between two of them the name decides, in whatever order they were installed."""
    found = Plugins.discover(installed=[entry("zoo", listing()), entry("acme", listing())])

    assert found.problems == {"zoo": TAKEN.format("zoo", "acme")}


def test_plugins_are_reported_by_name() -> None:
    """Whatever loads first, people look for a name."""
    installed = [entry("zoo", Plugin()), OUR_ISSUES, entry("acme", Plugin())]

    found = Plugins.discover(installed=installed, required=["zoo"])

    assert [report.name for report in found.reports] == ["acme", "issues", "zoo"]


def test_ours_are_those_that_the_extra_all_installs() -> None:
    """A plugin that joins this repository comes before strangers' too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert sorted(map(package_of, OURS)) == sorted(project["optional-dependencies"]["all"])


def test_the_setting_decides_for_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``redmine-mcp plugins`` shows is what the server will do, with valid settings or not."""
    installed = [OUR_ISSUES, entry("zoo", listing())]
    monkeypatch.setattr("redmine_mcp_core.plugins.entry_points", lambda **_: installed)
    monkeypatch.setenv("MCP_REQUIRED_PLUGINS", "projects, zoo")
    monkeypatch.setenv("MCP_PORT", "no number")

    found = discover_plugins(Metrics())

    assert found.problems == {"issues": TAKEN.format("issues", "zoo")}


class UnknownHook:
    api_version = 1

    @hookimpl
    def on_evnt(self, event: Event) -> None: ...


class WrongArgument:
    api_version = 1

    @hookimpl
    def on_event(self, evt: Event, more: int) -> None: ...


class NoArguments:
    api_version = 1

    @hookimpl
    def check_health(self, seconds: float) -> None: ...


class RenamedHook:
    api_version = 1

    @hookimpl(specname="on_event")
    def hear(self, evt: Event) -> None: ...


class NoGenerator:
    api_version = 1

    @hookimpl(wrapper=True)
    def on_event(self, event: Event) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        (
            UnknownHook(),
            "The host knows no hook on_evnt. There are: before_tool_call, check_health, "
            "offer_demo, on_event, register_components, register_metrics, register_token_stores.",
        ),
        (WrongArgument(), "Its hook on_event asks for evt, more; the host passes: event."),
        (NoArguments(), "Its hook check_health asks for seconds; the host passes nothing."),
        (RenamedHook(), "Its hook on_event asks for evt; the host passes: event."),
        (WrongArgument, "Its hook on_event asks for self, evt, more; the host passes: event."),
    ],
    ids=["unknown hook", "wrong argument", "no arguments", "other name", "class, not object"],
)
def test_a_hook_that_cannot_be_called(plugin: object, problem: str) -> None:
    """Which hook, which argument, and what there is instead."""
    assert problem_of(plugin) == problem


def test_a_hook_that_pluggy_refuses() -> None:
    """In pluggy's words, but nothing that only a debugger could use."""
    problem = problem_of(NoGenerator())

    assert "on_event" in problem
    assert "not a generator function" in problem
    assert " 0x" not in problem


def test_what_a_hook_may_do_without() -> None:
    """It need not take what it does not use; and one that says so need not be known."""

    class Quiet:
        api_version = 1

        @hookimpl
        def on_event(self, times: int = 1) -> None: ...

        @hookimpl(optionalhook=True)
        def on_tomorrow(self, day: str) -> None: ...

    twice = [entry("quiet", Quiet()), entry("silent", Quiet())]

    assert Plugins.discover(installed=twice).problems == {}


def not_async() -> Answer:
    """Look."""
    return Answer()


async def no_docstring() -> Answer:
    return Answer()


async def blank_docstring() -> Answer:
    """ """
    return Answer()


async def no_types(number, wanted, limit: int = 5) -> Answer:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Look."""
    return Answer(value=f"{number}, {wanted}, {limit}")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (not_async, "The tool not_async must be async: begin it with “async def”."),
        (no_docstring, "The tool no_docstring needs a docstring that tells a model what it does."),
        (blank_docstring, "The tool blank_docstring needs a docstring"),
        (no_types, "The tool no_types must say of what type these arguments are: number, wanted."),
    ],
)
def test_a_tool_that_is_not_finished(function: Callable[..., Any], sentence: str) -> None:
    """It is refused when it is declared, not when somebody calls it; the server goes on."""

    class Declares:
        api_version = 1

        @hookimpl
        def register_components(self, components: Plugin) -> None:
            components.tool(title="Look", scopes={"view_issues"})(function)

    found = Plugins.discover(installed=[entry("strange", Declares()), OUR_ISSUES])

    assert sentence in found.problems["strange"]
    assert [tool.name for tool in found.components.tools] == ["list_issues"]
    with pytest.raises(TypeError, match=re.escape(sentence)):
        Plugin().tool(title="Look", scopes={"view_issues"})(function)


@pytest.mark.parametrize("name", ["post poned", "", "post-poned", "größe", "a:b", "sent\n"])
@pytest.mark.parametrize("kind", ["counter", "gauge", "histogram"])
def test_a_metric_that_prometheus_would_not_take(kind: str, name: str) -> None:
    """It is refused when it is defined; one such line would spoil the page for every other."""
    metrics = PluginMetrics("mail", CollectorRegistry())
    more = {"buckets": [1]} if kind == "histogram" else {}

    with pytest.raises(ValueError, match="letters, digits and underscores") as caught:
        getattr(metrics, kind)(name, "Mails.", **more)
    assert f"“{name}”" in str(caught.value)


@pytest.mark.parametrize("label", ["by kind", "", "1st", "__name"])
def test_a_label_that_prometheus_would_not_take(label: str) -> None:
    """It is refused as well, by the name of the label."""
    metrics = PluginMetrics("mail", CollectorRegistry())

    with pytest.raises(ValueError, match=f"label “{label}”"):
        metrics.counter("sent", "Mails.", [label])


def test_a_metric_may_begin_with_a_digit() -> None:
    """The prefix stands before it."""
    registry = CollectorRegistry()

    PluginMetrics("mail", registry).gauge("2fa", "Mails.", ["kind_1"]).labels("x").set(1)

    assert registry.get_sample_value("redmine_mcp_plugin_mail_2fa", {"kind_1": "x"}) == 1
