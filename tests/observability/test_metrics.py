"""Metrics: what is counted, and that no label tells on anybody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from redmine_mcp_core import Event, EventKind
from redmine_mcp_core.observability.metrics import Metrics, endpoint_class


def shown(metrics: Metrics) -> dict[str, float]:
    """Each sample with its labels, as /metrics shows it."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (EventKind.TOOL_CALLED, "ok"),
        (EventKind.TOOL_FAILED, "failed"),
        (EventKind.TOOL_REFUSED, "refused"),
    ],
)
def test_a_call_is_counted_by_tool_and_outcome(kind: EventKind, outcome: str) -> None:
    """Once, with the time it took."""
    metrics = Metrics()

    metrics.count(Event(kind, 5, "client", "look", "reason", 0.5))

    samples = shown(metrics)
    labels = f'outcome="{outcome}",tool="look"'
    assert samples[f"redmine_mcp_tool_calls_total{{{labels}}}"] == 1
    assert samples['redmine_mcp_tool_call_seconds_sum{tool="look"}'] == 0.5


@pytest.mark.parametrize(
    ("kind", "outcome"), [(EventKind.SIGNED_IN, "ok"), (EventKind.SIGN_IN_FAILED, "failed")]
)
def test_a_sign_in_is_counted_by_outcome(kind: EventKind, outcome: str) -> None:
    """Both kinds of them."""
    metrics = Metrics()

    metrics.count(Event(kind))

    assert shown(metrics)[f'redmine_mcp_sign_ins_total{{outcome="{outcome}"}}'] == 1


def test_each_event_is_counted_somewhere() -> None:
    """A new kind of event is not forgotten here."""
    for kind in EventKind:
        metrics = Metrics()
        before = shown(metrics)
        metrics.count(Event(kind, tool="look"))

        assert shown(metrics) != before, kind


def test_nobody_is_in_a_label() -> None:
    """Neither users nor clients nor reasons nor addresses."""
    metrics = Metrics()
    metrics.count(Event(EventKind.TOOL_FAILED, 4711, "client-4711", "look", "why-4711", 1.0))
    metrics.observe_redmine("GET", "/projects/secret-4711/search.json", "ok", 0.1)
    metrics.observe_redmine("GET", "/issues/4711.json", "ok", 0.1)

    assert "4711" not in generate_latest(metrics.registry).decode()


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/issues.json", "issues"),
        ("/issues/:id.json", "issues"),
        ("/projects/alpha/search.json", "projects"),
        ("/search.json", "search"),
        ("/my/account.json", "my"),
        ("/oauth/token/info", "oauth/token/info"),
        ("/oauth/authorize", "other"),
        ("/somebody.json", "other"),
        ("/", "other"),
        ("", "other"),
    ],
)
def test_a_path_belongs_to_a_part_of_the_api(path: str, endpoint: str) -> None:
    """One of a fixed few."""
    assert endpoint_class(path) == endpoint


@settings(deadline=None, database=None)
@given(st.text())
def test_no_path_makes_a_label_of_its_own(path: str) -> None:
    """Whatever is asked for, the number of labels is bounded."""
    assert endpoint_class(f"/x{path}") == "other" or endpoint_class(f"/x{path}").isidentifier()
    assert endpoint_class(f"/{path}") in KNOWN


KNOWN = {
    "other",
    "oauth/token",
    "oauth/token/info",
    *"""
    issues projects search users my trackers issue_statuses enumerations time_entries attachments
    uploads versions memberships queries news files relations journals groups roles
    issue_categories custom_fields watchers
    """.split(),
}


def test_two_servers_in_one_process_count_apart() -> None:
    """Each has a registry of its own."""
    one, two = Metrics(), Metrics()

    one.count(Event(EventKind.SIGNED_IN))

    assert 'redmine_mcp_sign_ins_total{outcome="ok"}' in shown(one)
    assert 'redmine_mcp_sign_ins_total{outcome="ok"}' not in shown(two)


def test_what_runs_here_is_told() -> None:
    """The versions of the host and of FastMCP."""
    (build,) = [name for name in shown(Metrics()) if name.startswith("redmine_mcp_build_info")]

    assert 'fastmcp="4.' in build
    assert 'version="' in build
