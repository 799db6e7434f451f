"""Plugins are loaded one by one: one that fails is named with its reason and harms no other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any, cast

import pytest

from redmine_mcp_core import (
    CurrentRedmine,
    DemoRedmine,
    Event,
    EventKind,
    HealthReport,
    Plugin,
    PluginMetrics,
    Redmine,
    Refusal,
    Result,
    TokenStoreBackend,
    ToolCall,
    hookimpl,
)
from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import PluginProblem, Plugins
from redmine_mcp_core.testing.client import Announced
from redmine_mcp_core.tools.components import Components
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration

OURS = ["issues", "projects", "prompts", "sandbox", "storage_redis", "storage_sqlite"]

CALLER = Caller(5, "alice", "Alice Ace", frozenset({"view_issues"}), "client")
CALL = ToolCall(ToolDeclaration("look", Effect.READS, frozenset({"view_issues"})), {}, CALLER)
EVENT = Event(EventKind.TOOL_CALLED, tool="look")


class Answer(Result):
    value: str = "here"

    def text(self) -> str:
        return self.value


def with_tool(name: str) -> Plugin:
    """A plugin with one tool of this name."""
    plugin = Plugin()

    async def look(redmine: Redmine = CurrentRedmine()) -> Answer:
        """Look."""
        return Answer(value=redmine.url)

    look.__name__ = name
    plugin.tool(title="Look", scopes={"view_issues"}, read_only=True)(look)
    return plugin


def announced(name: str, plugin: object) -> Announced:
    return Announced(name, partial(_itself, plugin))


def _itself(plugin: object) -> object:
    return plugin


def discover(*entries: Announced, builtin: bool = False) -> Plugins:
    return Plugins.discover(
        builtin=builtin_plugins(Metrics()) if builtin else (),
        installed=cast("list[EntryPoint]", entries),
    )


def tool_names(plugins: Plugins) -> list[str]:
    return [tool.name for tool in plugins.components.tools]


GOOD = announced("good", with_tool("look"))


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


def test_a_builtin_that_fails_stops_everything() -> None:
    """A server without its scope rule must not start."""
    with pytest.raises(PluginProblem, match="scope_rule"):
        Plugins.discover(builtin=[("scope_rule", UnknownHook())], installed=[])


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


def test_a_name_is_free_again_after_its_plugin_failed() -> None:
    """What a failed plugin claimed does not keep a working one out."""
    plugins = discover(Announced("a", RaisesOnStores), announced("b", with_tool("half")), GOOD)

    assert list(plugins.problems) == ["a"]
    assert tool_names(plugins) == ["half", "look"]


def test_an_observer_that_raises_harms_nobody() -> None:
    """The others hear of the event, and the call goes on."""
    heard: list[Event] = []

    class Raises:
        api_version = 1

        @hookimpl
        def on_event(self, event: Event) -> None:
            raise RuntimeError(f"disk full: {event.kind}")

    class Hears:
        api_version = 1

        @hookimpl
        def on_event(self, event: Event) -> None:
            heard.append(event)

    plugins = discover(announced("a", Raises()), announced("b", Hears()))

    plugins.emit(EVENT)

    assert heard == [EVENT]


def test_the_first_refusal_decides() -> None:
    """Its message and its code are those the caller reads."""

    class Refuses:
        api_version = 1

        def __init__(self, message: str) -> None:
            self.message = message

        @hookimpl
        def before_tool_call(self, call: ToolCall) -> None:
            raise Refusal(f"{self.message}: {call.caller.login}", code="office_hours")

    plugins = discover(announced("a", Refuses("first")), announced("b", Refuses("second")))

    with pytest.raises(Refusal, match="first") as caught:
        plugins.before_tool_call(CALL)
    assert caught.value.code == "office_hours"


def test_a_rule_that_fails_does_not_allow() -> None:
    """A rule that cannot be asked stops the call, whatever the other rules say."""

    class Fails:
        api_version = 1

        @hookimpl
        def before_tool_call(self, call: ToolCall) -> None:
            raise KeyError(call.declaration.name)

    plugins = discover(announced("a", Fails()), GOOD, builtin=True)

    with pytest.raises(KeyError):
        plugins.before_tool_call(CALL)


async def test_a_health_check_that_raises_is_ill_health() -> None:
    """It is reported under the plugin's name, and the other checks are made."""

    class Ill:
        api_version = 1

        @hookimpl
        async def check_health(self) -> HealthReport:
            raise ConnectionError("no route to the directory")

    class Well:
        api_version = 1

        @hookimpl
        async def check_health(self) -> HealthReport:
            return HealthReport("mail", healthy=True)

    plugins = discover(announced("directory", Ill()), announced("mail", Well()))

    ill, well = await plugins.check_health()

    assert (ill.name, ill.healthy) == ("directory", False)
    assert "no route to the directory" in ill.message
    assert well.healthy


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


def test_the_first_demo_on_offer_is_taken() -> None:
    """A plugin may offer a Redmine to try; without one there is none."""
    offer = DemoRedmine(_no_app, "id", "secret", ())

    class Offers:
        api_version = 1

        @hookimpl
        def offer_demo(self) -> DemoRedmine:
            return offer

    assert discover(GOOD).demo() is None
    assert discover(GOOD, announced("sandbox", Offers())).demo() is offer


def _no_app(_url: str) -> Any:
    raise AssertionError("nothing is opened before it is needed")


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


def test_a_tool_must_return_a_result() -> None:
    """A tool that would answer with anything else is refused when it is declared."""
    plugin = Plugin()

    async def broken() -> dict[str, str]:
        """Answer with a dictionary."""
        return {}

    with pytest.raises(TypeError, match="broken must return a Result"):
        plugin.tool(title="Broken", scopes={"view_issues"})(broken)


class Measuring:
    """A plugin that counts for itself."""

    api_version = 1

    def __init__(self) -> None:
        self.order: list[str] = []

    @hookimpl
    def register_metrics(self, metrics: PluginMetrics) -> None:
        self.order.append("metrics")
        metrics.counter("looks", "How often somebody looked.").inc()

    @hookimpl
    def register_components(self) -> None:
        self.order.append("components")


def test_a_plugin_may_define_metrics_of_its_own() -> None:
    """Under its name, and before it is asked for anything else."""
    metrics, plugin = Metrics(), Measuring()

    plugins = Plugins.discover(
        installed=cast("list[EntryPoint]", [announced("counts", plugin)]),
        metrics_of=metrics.of_plugin,
    )

    assert plugins.problems == {}
    assert b"redmine_mcp_plugin_counts_looks_total 1.0" in metrics.render()
    assert plugin.order == ["metrics", "components"]
