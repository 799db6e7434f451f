"""Metrics: what is counted, and that no label tells on anybody."""

from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redmine_mcp_core import Event, EventKind, StoreUnavailable
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.counting import count
from redmine_mcp_core.observability.metric_table import METRICS, PREFIX
from redmine_mcp_core.observability.metrics import MOST_SERIES, Metrics
from redmine_mcp_core.observability.outgoing import OutgoingRequest, endpoint_class
from redmine_mcp_core.observability.requests import route_class
from redmine_mcp_core.observability.stores import OPERATIONS, observed_store
from redmine_mcp_core.redmine import Unreachable
from redmine_mcp_core.redmine.breaker import FAILURES
from redmine_mcp_core.server import open_host
from redmine_mcp_core.storage import MemoryStore, TokenStore
from tests.support.servers import Target, settings_for


def shown(metrics: Metrics) -> dict[str, float]:
    """Each sample with its labels, as /metrics shows it."""
    lines = metrics.render().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (EventKind.TOOL_CALLED, "ok"),
        (EventKind.TOOL_ASKED, "asked"),
        (EventKind.TOOL_FAILED, "failed"),
        (EventKind.TOOL_REFUSED, "refused"),
    ],
)
def test_a_call_is_counted_by_tool_and_outcome(kind: EventKind, outcome: str) -> None:
    """Once, with the time it took."""
    metrics = Metrics()

    count(metrics, Event(kind, 5, "client", "look", "reason", 0.5))

    samples = shown(metrics)
    labels = f'outcome="{outcome}",tool="look"'
    assert samples[f"redmine_mcp_tool_calls_total{{{labels}}}"] == 1
    assert samples['redmine_mcp_tool_call_seconds_sum{tool="look"}'] == 0.5


async def test_each_redmine_has_a_circuit_of_its_own(sandbox: Target) -> None:
    """One that dies is told by its name, and the health of another does not hide it."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    metrics = Metrics()
    settings = settings_for(sandbox, 1)
    async with (
        open_host(
            settings,
            discover_plugins(metrics),
            metrics,
            name="office",
            transport=httpx.MockTransport(refuse),
        ) as office,
        open_host(settings, discover_plugins(metrics), metrics, name="home"),
    ):
        for _ in range(FAILURES):
            with pytest.raises(Unreachable):
                await office.gateway.request("POST", "/issues.json", json={})

    samples = shown(metrics)
    assert samples['redmine_mcp_redmine_circuit_open{redmine="office"}'] == 1
    assert samples['redmine_mcp_redmine_circuit_open{redmine="home"}'] == 0


def test_an_answer_is_measured_in_bytes_and_tokens() -> None:
    """Four bytes are taken for a token."""
    metrics = Metrics()

    count(metrics, Event(EventKind.TOOL_CALLED, tool="look", size=2_000))

    samples = shown(metrics)
    assert samples['redmine_mcp_answer_bytes_sum{tool="look"}'] == 2_000
    assert samples['redmine_mcp_answer_tokens_total{tool="look"}'] == 500


def test_a_tool_that_does_not_exist_has_no_name() -> None:
    """What somebody made up is a text, and there is no end of texts."""
    metrics = Metrics()

    count(metrics, Event(EventKind.TOOL_REFUSED, reason="unknown_tool"))

    assert shown(metrics)['redmine_mcp_tool_calls_total{outcome="refused",tool="unknown"}'] == 1


@pytest.mark.parametrize(
    ("event", "sample"),
    [
        (Event(EventKind.SIGNED_IN), 'sign_ins_total{outcome="ok"}'),
        (Event(EventKind.SIGN_IN_FAILED), 'sign_ins_total{outcome="failed"}'),
        (Event(EventKind.SIGN_IN_FAILED, reason="denied"), 'sign_ins_total{outcome="denied"}'),
        (Event(EventKind.SIGNED_OUT), 'sessions_ended_total{outcome="signed_out"}'),
        (Event(EventKind.REVOKED), 'sessions_ended_total{outcome="revoked"}'),
        (Event(EventKind.REFRESHED), 'refreshes_total{outcome="ok"}'),
        (Event(EventKind.REFRESH_FAILED), 'refreshes_total{outcome="failed"}'),
        (Event(EventKind.REFRESH_POSTPONED), 'refreshes_total{outcome="postponed"}'),
        (Event(EventKind.REFRESH_REPLAYED), 'refreshes_total{outcome="replayed"}'),
        (
            Event(EventKind.LIMITED, reason="token_per_user"),
            'limits_hit_total{limit="token_per_user"}',
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Event) else "",
)
def test_an_event_is_counted_by_its_outcome(event: Event, sample: str) -> None:
    """Each under the name that dashboards ask for."""
    metrics = Metrics()

    count(metrics, event)

    assert shown(metrics)[PREFIX + sample] == 1


def test_each_event_is_counted_somewhere() -> None:
    """A new kind of event is not forgotten here."""
    for kind in EventKind:
        metrics = Metrics()
        before = shown(metrics)
        count(metrics, Event(kind, tool="look"))

        assert shown(metrics).keys() != before.keys(), kind


def test_nobody_is_in_a_label() -> None:
    """Neither users nor clients nor reasons nor addresses."""
    metrics = Metrics()
    count(metrics, Event(EventKind.TOOL_FAILED, 4711, "client-4711", "look", "why-4711", 1.0))
    OutgoingRequest(metrics, "GET", "/projects/secret-4711/search.json").end("ok", 200)
    OutgoingRequest(metrics, "GET", "/issues/4711.json").end("ok", 200)

    ours = [line for line in shown(metrics) if line.startswith(PREFIX)]
    assert not [line for line in ours if "4711" in line]


def test_a_request_to_redmine_is_counted_by_its_status() -> None:
    """Or by why there was no answer."""
    metrics = Metrics()

    OutgoingRequest(metrics, "GET", "/issues/5.json").end("not_found", 404)
    OutgoingRequest(metrics, "PUT", "/issues/5.json").end("timed_out", None)

    samples = shown(metrics)
    name = "redmine_mcp_redmine_requests_total"
    assert samples[f'{name}{{endpoint="issues",method="GET",status="4xx"}}'] == 1
    assert samples[f'{name}{{endpoint="issues",method="PUT",status="timed_out"}}'] == 1
    assert samples['redmine_mcp_redmine_request_seconds_count{endpoint="issues"}'] == 2


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/issues.json", "issues"),
        ("/issues/:id.json", "issues"),
        ("/projects/alpha/search.json", "projects"),
        ("/search.json", "search"),
        ("/my/account.json", "my"),
        ("/oauth/token/info", "oauth/token/info"),
        ("/oauth/token", "oauth/token"),
        ("/oauth/authorize", "other"),
        ("/issuesandmore.json", "other"),
        ("/somebody.json", "other"),
        ("/", "other"),
        ("", "other"),
    ],
)
def test_a_path_belongs_to_a_part_of_the_api(path: str, endpoint: str) -> None:
    """One of a fixed few."""
    assert endpoint_class(path) == endpoint


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/mcp", "/mcp"),
        ("/register/some-client", "/register"),
        ("/.well-known/oauth-authorization-server", "/.well-known"),
        ("/auth/callback", "/auth"),
        ("/mcp2", "other"),
        ("/wp-login.php", "other"),
        ("/", "other"),
        ("", "other"),
    ],
)
def test_a_path_belongs_to_a_route(path: str, route: str) -> None:
    """One of ours, or none."""
    assert route_class(path) == route


HOSTILE = 300


@settings(deadline=None, database=None, max_examples=50)
@given(st.text())
def test_no_path_makes_a_label_of_its_own(path: str) -> None:
    """Whatever is asked for, the number of labels is bounded."""
    known = {endpoint_class(f"/{name}.json") for name in ("issues", "users", "nothing")}

    assert endpoint_class(f"/x{path}") == "other"
    assert route_class(f"/x{path}") == "other"
    assert endpoint_class("/nothing") in known


def test_hostile_traffic_makes_no_series() -> None:
    """Made-up paths, methods, tools, reasons and outcomes: after all of them there are a few."""
    metrics = Metrics()
    for number in range(HOSTILE):
        OutgoingRequest(metrics, f"M{number}", f"/p{number}/x.json").end("ok", 200)
        count(metrics, Event(EventKind.TOOL_REFUSED, number, f"c{number}", reason=f"r{number}"))
        count(metrics, Event(EventKind.SIGN_IN_FAILED, number, f"c{number}", reason=f"r{number}"))
        route = route_class(f"/r{number}")
        metrics.inc("http_requests", route, "404")

    assert len(shown(metrics)) < 120


def test_even_a_label_that_is_free_by_mistake_is_bounded() -> None:
    """No plugin and no slip of ours fills the memory of those who collect metrics."""
    metrics = Metrics()

    for number in range(MOST_SERIES + HOSTILE):
        metrics.inc("limits_hit", f"limit{number}")

    samples = {name: n for name, n in shown(metrics).items() if "limits_hit_total" in name}
    assert len(samples) == MOST_SERIES + 1
    assert samples['redmine_mcp_limits_hit_total{limit="other"}'] == HOSTILE


def test_two_servers_in_one_process_count_apart() -> None:
    """Each has a registry of its own."""
    one, two = Metrics(), Metrics()

    count(one, Event(EventKind.SIGNED_IN))

    assert 'redmine_mcp_sign_ins_total{outcome="ok"}' in shown(one)
    assert 'redmine_mcp_sign_ins_total{outcome="ok"}' not in shown(two)


def test_what_runs_here_is_told() -> None:
    """The versions of the host and of FastMCP."""
    (build,) = [name for name in shown(Metrics()) if name.startswith("redmine_mcp_build_info")]

    assert 'fastmcp="4.' in build
    assert 'version="' in build


async def test_the_store_is_counted_by_operation() -> None:
    """What it did, and what it could not do; a lock shows as the operations it takes."""

    class Failing(MemoryStore):
        async def pop(self, *_: object, **__: object) -> None:
            raise StoreUnavailable("down")

    metrics = Metrics()
    store = observed_store(Failing(), metrics)

    await store.put("a", {"b": 1})
    assert await store.get("a") == {"b": 1}
    async with store.lock("refresh", ttl=5):
        pass
    with pytest.raises(StoreUnavailable):
        await store.pop("a")

    name = "redmine_mcp_store_operations_total"
    counted = {key: n for key, n in shown(metrics).items() if key.startswith(name)}
    assert {
        f'{name}{{operation="put",outcome="ok"}}': 1,
        f'{name}{{operation="get",outcome="ok"}}': 1,
        f'{name}{{operation="acquire_lock",outcome="ok"}}': 1,
        f'{name}{{operation="release_lock",outcome="ok"}}': 1,
        f'{name}{{operation="pop",outcome="unavailable"}}': 1,
    } == counted


def test_every_operation_of_a_store_is_counted() -> None:
    """One that is added to the contract is not forgotten here."""
    there = {name for name in dir(TokenStore) if not name.startswith("_")} - {"lock"}

    assert there == set(OPERATIONS)


def test_a_plugin_counts_under_its_name() -> None:
    """What it calls ``sent`` cannot be taken for a metric of ours, or of another plugin."""
    metrics = Metrics()

    metrics.of_plugin("my-mail").counter("sent", "Mails sent.", ["kind"]).labels("daily").inc()
    metrics.of_plugin("other").gauge("waiting", "Mails waiting.").set(3)
    sizes = metrics.of_plugin("other").histogram("bytes", "Sizes.", buckets=[10, 100])
    sizes.observe(50)

    samples = shown(metrics)
    assert samples['redmine_mcp_plugin_my_mail_sent_total{kind="daily"}'] == 1
    assert samples["redmine_mcp_plugin_other_waiting"] == 3
    assert samples['redmine_mcp_plugin_other_bytes_bucket{le="100.0"}'] == 1


async def test_a_port_of_their_own() -> None:
    """Served beside the server; free again afterwards."""
    metrics = Metrics()
    with metrics.served("127.0.0.1", 0) as port:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{port}/metrics")
        with pytest.raises(OSError, match="in use"), metrics.served("127.0.0.1", port):
            pass

    assert "redmine_mcp_build_info{" in answer.text
    with metrics.served("127.0.0.1", port):
        pass


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_well_named(metric: object) -> None:
    """Prometheus' own conventions: base units at the end, and a sentence of help."""
    name, kind = getattr(metric, "name", ""), getattr(metric, "kind", "")
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", name)
    assert not name.endswith("_total")
    assert getattr(metric, "help", "").endswith((".", "1."))
    assert (kind == "histogram") == name.endswith(("_seconds", "_bytes"))
    assert bool(getattr(metric, "buckets", ())) == (kind == "histogram")
