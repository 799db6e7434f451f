"""Of two plugins that want one name, one has it, and the other is told whose it is."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from redmine_mcp_core import Event, Plugin, Refusal, ToolCall, hookimpl
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import OURS, Plugins, package_of
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration
from tests.plugins.making import (
    CALLER,
    EVENT,
    OUR_ISSUES,
    announced,
    discover,
    entry,
    listing,
    tool_names,
    with_tool,
)

ROOT = Path(__file__).parents[2]
TAKEN = "“{}” claims the tool list_issues, which “{}” has."


def test_two_packages_with_one_entry_point_name() -> None:
    """The first one stays, whole: the second takes nothing away from it."""

    class First:
        api_version = 1
        events: list[Event] = []  # noqa: RUF012

        @hookimpl
        def on_event(self, event: Event) -> None:
            self.events.append(event)

    first = First()
    plugins = discover(announced("same", first), announced("same", with_tool("other")))

    plugins.emit(EVENT)

    assert "already provides a plugin “same”" in plugins.problems["same"]
    assert tool_names(plugins) == []
    assert first.events == [EVENT]


@pytest.mark.parametrize("name", ["memory_store", "scope_rule", "event_counter"])
def test_no_plugin_takes_the_place_of_a_builtin(name: str) -> None:
    """A stranger's package of that name is left out, and the scope rule still refuses."""
    plugins = discover(announced(name, with_tool("look")), builtin=True)
    call = ToolCall(
        ToolDeclaration("wipe", Effect.DESTROYS, frozenset({"delete_issues"})), {}, CALLER
    )

    assert name in plugins.problems
    with pytest.raises(Refusal) as caught:
        plugins.before_tool_call(call)
    assert caught.value.code == "missing_scope"
    assert [store.name for store in plugins.token_stores] == ["memory"]


def test_one_plugin_cannot_declare_a_name_twice() -> None:
    """Of two tools with one name one would silently never be called."""
    twice = with_tool("look")
    twice.include(with_tool("look"))

    plugins = discover(announced("twice", twice))

    assert "tool look" in plugins.problems["twice"]


def test_resources_and_prompts_have_one_owner_too() -> None:
    """Not only tools: a second plugin for one URI or one prompt is refused."""

    def with_resource(uri: str) -> Plugin:
        plugin = Plugin()

        @plugin.resource(uri, name="thing", title="Thing")
        async def thing(number: int = 1) -> str:
            """A thing."""
            return str(number)

        return plugin

    def with_prompt() -> Plugin:
        plugin = Plugin()

        @plugin.prompt(title="Ask")
        async def ask() -> str:
            """Ask."""
            return "?"

        return plugin

    plugins = discover(
        announced("a", with_resource("redmine://thing")),
        announced("b", with_resource("redmine://thing")),
        announced("c", with_resource("redmine://thing/{number}")),
        announced("d", with_resource("redmine://thing/{number}")),
        announced("e", with_prompt()),
        announced("f", with_prompt()),
    )

    assert plugins.problems == {
        "b": "“b” claims the resource redmine://thing, which “a” has.",
        "d": "“d” claims the resource redmine://thing/{number}, which “c” has.",
        "f": "“f” claims the prompt ask, which “e” has.",
    }


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


def test_plugins_are_reported_by_name() -> None:
    """Whatever loads first, people look for a name."""
    installed = [entry("zoo", Plugin()), OUR_ISSUES, entry("acme", Plugin())]

    found = Plugins.discover(installed=installed, required=["zoo"])

    assert [report.name for report in found.reports] == ["acme", "issues", "zoo"]
