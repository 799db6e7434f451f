"""What a stranger gets wrong in a first plugin is told in a sentence, and harms nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from redmine_mcp_core import Event, Plugin, PluginMetrics, hookimpl
from redmine_mcp_core.plugins import Plugins
from tests.plugins.making import OUR_ISSUES, Answer, entry


def problem_of(plugin: object) -> str:
    found = Plugins.discover(installed=[entry("strange", plugin)])
    return found.problems["strange"]


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


def test_a_tool_must_return_a_result() -> None:
    """A tool that would answer with anything else is refused when it is declared."""
    plugin = Plugin()

    async def broken() -> dict[str, str]:
        """Answer with a dictionary."""
        return {}

    with pytest.raises(TypeError, match="broken must return a Result"):
        plugin.tool(title="Broken", scopes={"view_issues"})(broken)


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
