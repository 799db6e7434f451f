"""What the host asks of loaded plugins: one that fails harms no other, and never allows."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any, cast

import pytest

from redmine_mcp_core import (
    DemoRedmine,
    Event,
    HealthReport,
    PluginMetrics,
    Refusal,
    ToolCall,
    hookimpl,
)
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from tests.plugins.making import CALL, EVENT, GOOD, announced, discover


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
