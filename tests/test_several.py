"""Several Redmines behind one server: each with its own address, sign-in, keys and people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastmcp import Client

from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.settings import Settings, SettingsError
from redmine_mcp_core.several import load_each, open_each, setting_of
from redmine_mcp_core.storage import upkeep
from tests.auth.test_header import who
from tests.support.processes import until
from tests.support.servers import Running, Target, free_port, sandbox_target, serving
from tests.support.sign_in import sign_in


@dataclass(frozen=True)
class At:
    """One of the Redmines, as the helpers of other tests want a server."""

    url: str


@dataclass(frozen=True)
class Both:
    url: str
    intern: Target
    kunden: Target

    def at(self, name: str) -> Running:
        return At(f"{self.url}/{name}")  # type: ignore[return-value]


@pytest.fixture
async def both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Both]:
    """Two sandboxes behind one server, over one store and one key."""
    async with (
        sandbox_target() as intern,
        sandbox_target() as kunden,
        served_together(monkeypatch, tmp_path, intern=intern, kunden=kunden) as url,
    ):
        yield Both(url, intern, kunden)


@asynccontextmanager
async def served_together(
    monkeypatch: pytest.MonkeyPatch, folder: Path, **targets: Target
) -> AsyncIterator[str]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(folder)
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    monkeypatch.setenv("MCP_REDMINES", " ".join(targets))
    monkeypatch.setenv("MCP_TRUSTED_PROXIES", "127.0.0.1")
    monkeypatch.setenv("JWT_SIGNING_KEY", "one-key-for-the-whole-process-0000")
    monkeypatch.setenv("TOKEN_STORE_URL", f"sqlite:///{folder / 'tokens.sqlite3'}")
    for name, target in targets.items():
        monkeypatch.setenv(setting_of("redmine_url", name), target.url)
        monkeypatch.setenv(setting_of("redmine_client_id", name), target.client_id)
        secret = folder / f"{name}.secret"
        secret.write_text(target.client_secret)
        monkeypatch.setenv(f"{setting_of('redmine_client_secret', name)}_FILE", str(secret))
        monkeypatch.setenv(setting_of("mcp_sign_in", name), "oauth header")
    async with (
        open_each(load_each(), Metrics()) as served,
        serving(served.app, port, lifespan="on"),
    ):
        yield f"http://127.0.0.1:{port}"


async def test_each_has_its_own_sign_in(both: Both) -> None:
    """A person signs in to each at its own Redmine, and is asked there for what they do."""
    assert both.intern.sandbox is not None
    assert both.kunden.sandbox is not None
    intern = await sign_in(f"{both.url}/intern", "alice")
    before = len(both.kunden.sandbox.requests)
    answer = await who(both.at("intern"), {"Authorization": f"Bearer {intern.access}"})

    assert "alice" in answer.text
    assert len(both.kunden.sandbox.requests) == before
    assert before == 0


@pytest.fixture
def counted_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "COUNT_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "COUNT_SHARE", 1.0)


@pytest.mark.usefixtures("counted_often")
async def test_sessions_are_counted_by_the_name_of_their_redmine(both: Both) -> None:
    """Each of its own only, though all are in one store."""
    await sign_in(f"{both.url}/intern", "alice")
    await sign_in(f"{both.url}/intern", "bob")
    await sign_in(f"{both.url}/kunden", "alice")

    async def counted() -> bool:
        async with httpx.AsyncClient() as http:
            shown = (await http.get(f"{both.url}/metrics")).text
        wanted = ('{redmine="intern"} 2.0', '{redmine="kunden"} 1.0')
        return all(f"redmine_mcp_sessions{sample}\n" in shown for sample in wanted)

    await until(counted)


async def test_a_token_is_good_for_the_one_it_was_made_for(both: Both) -> None:
    """The other one refuses it, and its refresh token, and never shows it to its Redmine."""
    assert both.kunden.sandbox is not None
    tokens = await sign_in(f"{both.url}/intern", "alice")
    answer = await who(both.at("kunden"), {"Authorization": f"Bearer {tokens.access}"})
    async with httpx.AsyncClient() as http:
        refreshed = await http.post(
            f"{both.url}/kunden/token",
            data={
                "grant_type": "refresh_token",
                "client_id": tokens.client_id,
                "refresh_token": tokens.refresh,
            },
        )

    assert answer.status_code == 401
    assert refreshed.status_code in {400, 401}
    assert both.kunden.sandbox.requests == []


async def test_metadata_stands_where_clients_look(both: Both) -> None:
    """At the root, with the rest of the address behind it (RFC 8414, RFC 9728)."""
    async with httpx.AsyncClient() as http:
        challenge = (await http.post(f"{both.url}/kunden/mcp")).headers["www-authenticate"]
        at = f"{both.url}/.well-known/oauth-protected-resource/kunden/mcp"
        guarded = (await http.get(f"{both.url}/kunden/verify")).headers["www-authenticate"]
        resource = (await http.get(at)).json()
        issuer = resource["authorization_servers"][0].rstrip("/")
        document = f"{both.url}/.well-known/oauth-authorization-server/kunden"
        metadata = (await http.get(document)).json()

    assert at in challenge
    assert at in guarded
    assert resource["resource"] == f"{both.url}/kunden/mcp"
    assert issuer == f"{both.url}/kunden"
    assert metadata["issuer"].rstrip("/") == issuer
    assert metadata["token_endpoint"] == f"{both.url}/kunden/token"


async def test_an_mcp_client_speaks_with_each(both: Both) -> None:
    """The same client library, at two addresses of one server, as two different users."""
    people = {"intern": "alice", "kunden": "bob"}
    said, prompts = {}, {}
    for name, login in people.items():
        tokens = await sign_in(f"{both.url}/{name}", login)
        async with Client(f"{both.url}/{name}/mcp", auth=tokens.access) as client:
            said[name] = str(await client.read_resource("redmine://users/me"))
            prompts[name] = {prompt.name for prompt in await client.list_prompts()}

    assert "alice" in said["intern"]
    assert "bob" in said["kunden"]
    assert prompts["intern"] == prompts["kunden"] != set()


async def test_a_key_of_one_is_never_shown_to_the_other(both: Both) -> None:
    """A header goes to the Redmine of the address it was sent to."""
    assert both.intern.sandbox is not None
    assert both.kunden.sandbox is not None
    key = {"X-Redmine-API-Key": both.intern.sandbox.api_key("alice")}

    assert (await who(both.at("intern"), key)).status_code == 200
    assert both.kunden.sandbox.requests == []


@pytest.mark.parametrize("path", ["/", "/mcp", "/other/mcp", "/internal/mcp", "/register"])
async def test_nothing_is_at_other_addresses(both: Both, path: str) -> None:
    """There is no default among several."""
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{both.url}{path}")).status_code == 404


async def test_the_usual_address_names_the_others(both: Both) -> None:
    """A client that was given ``/mcp`` is told where the endpoints are, as at ``/``; a browser is
    shown the front page."""
    async with httpx.AsyncClient() as http:
        answers = [await http.post(f"{both.url}{path}") for path in ("/", "/mcp", "/mcp/")]
        shown = await http.get(f"{both.url}/mcp", headers={"Accept": "text/html"})

    for answer in answers:
        places = answer.json()["error"]["data"]["mcp"]
        assert answer.status_code == 404
        assert places == [f"{both.url}/intern/mcp", f"{both.url}/kunden/mcp"]
    assert shown.status_code == 200
    assert f"{both.url}/kunden/mcp" in shown.text


async def test_the_server_is_ready_when_all_are(both: Both) -> None:
    """/ready names each Redmine; /health and /metrics are the process's."""
    assert both.kunden.sandbox is not None
    both.kunden.sandbox.outage = True
    async with httpx.AsyncClient() as http:
        ready = await http.get(f"{both.url}/ready")
        alive = await http.get(f"{both.url}/health")
        metrics = await http.get(f"{both.url}/metrics")

    assert (ready.status_code, alive.status_code, metrics.status_code) == (503, 200, 200)
    checks = ready.json()["checks"]
    assert checks["intern: redmine"] == "ok"
    assert checks["kunden: redmine"] != "ok"


def test_every_problem_of_each_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All at once, by the variable that is wrong."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP_REDMINES", "intern kunden-de")
    monkeypatch.setenv("REDMINE_INTERN_URL", "https://intern.example.com")
    monkeypatch.setenv("JWT_SIGNING_KEY", "one-key-for-the-whole-process-0000")
    with pytest.raises(SettingsError) as caught:
        load_each()

    told = "\n".join(caught.value.problems)
    assert "REDMINE_INTERN_CLIENT_ID is not set" in told
    assert "REDMINE_KUNDEN_DE_URL is not set" in told
    assert "REDMINE_INTERN_URL" not in told


COMMON = {
    "MCP_REDMINES": "intern kunden",
    "REDMINE_INTERN_URL": "https://intern.example.com",
    "REDMINE_INTERN_CLIENT_ID": "intern",
    "REDMINE_KUNDEN_URL": "https://kunden.example.com",
    "REDMINE_KUNDEN_CLIENT_ID": "kunden",
    "JWT_SIGNING_KEY": "one-key-for-the-whole-process-0000",
}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"MCP_PORT": "99999"}, ["MCP_PORT"]),
        ({"JWT_SIGNING_KEY": "short"}, ["JWT_SIGNING_KEY"]),
        ({"JWT_KUNDEN_SIGNING_KEY": "short"}, ["JWT_KUNDEN_SIGNING_KEY"]),
        ({"REDMINE_TIMEOUT": "soon"}, ["REDMINE_TIMEOUT"]),
        ({"REDMINE_KUNDEN_TIMEOUT": "soon"}, ["REDMINE_KUNDEN_TIMEOUT"]),
        ({"REDMINE_CLIENT_SECRET_FILE": "/nowhere"}, ["REDMINE_CLIENT_SECRET_FILE:"]),
        ({"REDMINE_INTERN_CLIENT_SECRET_FILE": "/nowhere"}, ["REDMINE_INTERN_CLIENT_SECRET_FILE:"]),
        (
            {"REDMINE_INTERN_URL": "", "REDMINE_KUNDEN_URL": ""},
            ["REDMINE_INTERN_URL", "REDMINE_KUNDEN_URL"],
        ),
    ],
)
def test_a_problem_is_told_once_by_the_variable_that_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: dict[str, str], told: list[str]
) -> None:
    """What all Redmines have in common is one problem, however many they are; what none of them
    has is one problem each."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in {**COMMON, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_each()

    assert [problem.split()[0] for problem in caught.value.problems] == told


@pytest.mark.parametrize("name", ["mcp", "Intern", "a/b", "register", "1st"])
def test_a_name_is_part_of_an_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """One that cannot be, or that the server has itself, is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP_REDMINES", name)
    with pytest.raises(SettingsError, match="MCP_REDMINES"):
        load_each()
