"""Settings: where they come from, and one sentence for each that cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redmine_mcp_core.settings import Settings, SettingsError, default_store_url, load_settings

SECRET = "a-secret-of-more-than-16-characters"
CANARY = "c4nary"

VALID = {
    "REDMINE_URL": "https://redmine.example.com",
    "REDMINE_CLIENT_ID": "client",
    "REDMINE_CLIENT_SECRET": SECRET,
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, and no .env file but the test's own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str | None) -> Settings:
    """The settings of a process with the valid environment and these changes; None takes away."""
    for name, value in {**VALID, **environment}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load_settings()


def problems(monkeypatch: pytest.MonkeyPatch, **environment: str | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **environment)
    return caught.value.problems


def test_three_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else has a default that works on a laptop."""
    settings = load(monkeypatch)

    assert settings.redmine_url == "https://redmine.example.com"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.token_store_url == default_store_url()
    assert settings.token_store_url.startswith("sqlite:///")
    assert settings.mcp_required_plugins == []


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody repairs one setting only to learn of the next."""
    told = problems(
        monkeypatch,
        REDMINE_URL=None,
        REDMINE_CLIENT_ID=None,
        REDMINE_CLIENT_SECRET="short",
        REDMINE_TIMEOUT="soon",
        MCP_PORT="99999",
        MCP_LOG_LEVEL="loud",
        MCP_PUBLIC_URL="mcp.example.com",
    )

    assert [problem.split()[0] for problem in told] == [
        "REDMINE_URL",
        "REDMINE_CLIENT_ID",
        "REDMINE_CLIENT_SECRET",
        "REDMINE_TIMEOUT",
        "MCP_PORT",
        "MCP_PUBLIC_URL",
        "MCP_LOG_LEVEL",
    ]


WRONG: list[tuple[str, str | None, str]] = [
    ("REDMINE_URL", None, "Where your Redmine is"),
    ("REDMINE_URL", "", "Where your Redmine is"),
    ("REDMINE_URL", "redmine.example.com", "https://redmine.example.com"),
    ("REDMINE_URL", "ftp://redmine.example.com", "https://redmine.example.com"),
    ("REDMINE_URL", "https://", "https://redmine.example.com"),
    ("REDMINE_URL", f"https://alice:{CANARY}@redmine.example.com", "without user"),
    ("REDMINE_URL", f"https://redmine.example.com/?key={CANARY}", "without user"),
    ("REDMINE_URL", f"https://redmine.example.com/#{CANARY}", "without user"),
    ("REDMINE_CLIENT_ID", None, "Administration > Applications"),
    ("REDMINE_CLIENT_SECRET", CANARY, "from Redmine"),
    ("JWT_SIGNING_KEY", CANARY, "openssl rand -hex 32"),
    ("MCP_ENCRYPTION_KEYS", f"{SECRET} {CANARY}", "openssl rand -hex 32"),
    ("REDMINE_TIMEOUT", "0", "greater than 0"),
    ("REDMINE_TIMEOUT", "301", "300"),
    ("REDMINE_TIMEOUT", "soon", "number"),
    ("MCP_PORT", "0", "greater than or equal to 1"),
    ("MCP_PORT", "65536", "65535"),
    ("MCP_PORT", "http", "integer"),
    ("MCP_PUBLIC_URL", "mcp.example.com", "must be an address"),
    ("MCP_PUBLIC_URL", "http://mcp.example.com", "https address"),
    ("MCP_LOG_FORMAT", "xml", "'console' or 'json'"),
    ("MCP_LOG_LEVEL", "loud", "'debug'"),
]


@pytest.mark.parametrize(("name", "value", "advice"), WRONG)
def test_each_problem_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, advice: str
) -> None:
    """It begins with the variable's name, says what to do, and repeats no secret."""
    (problem,) = problems(monkeypatch, **{name: value})

    assert problem.startswith(f"{name} ")
    assert advice in problem
    assert problem.endswith(".")
    assert "\n" not in problem
    assert CANARY not in problem


def test_without_a_client_secret_a_signing_key_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An application that is not confidential has no secret to derive keys from."""
    (problem,) = problems(monkeypatch, REDMINE_CLIENT_SECRET=None)

    assert problem.startswith("JWT_SIGNING_KEY or REDMINE_CLIENT_SECRET must be set")
    assert "REDMINE_CLIENT_SECRET" in problem
    assert load(monkeypatch, REDMINE_CLIENT_SECRET=None, JWT_SIGNING_KEY=SECRET)


def test_one_secret_too_short_is_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client secret that is too short does not also ask for a signing key."""
    assert len(problems(monkeypatch, REDMINE_CLIENT_SECRET="short")) == 1


@pytest.mark.parametrize(
    ("host", "public_url", "allowed"),
    [
        ("127.0.0.1", None, True),
        ("localhost", None, True),
        ("::1", None, True),
        ("127.0.0.1", "http://localhost:9000", True),
        ("127.0.0.1", "http://[::1]:9000", True),
        ("0.0.0.0", "https://mcp.example.com", True),
        ("192.0.2.7", "https://mcp.example.com", True),
        ("0.0.0.0", None, False),
        ("192.0.2.7", None, False),
        ("::", None, False),
        ("2001:db8::7", None, False),
        ("127.0.0.1", "http://mcp.example.com", False),
        ("127.0.0.1", "http://127.0.0.1.example.com", False),
        ("127.0.0.1", "http://localhost.example.com", False),
    ],
)
def test_beyond_this_machine_only_https(
    monkeypatch: pytest.MonkeyPatch, host: str, public_url: str | None, allowed: bool
) -> None:
    """Tokens never travel a network in clear: http is for loopback."""
    changes = {"MCP_HOST": host, "MCP_PUBLIC_URL": public_url}
    if allowed:
        assert load(monkeypatch, **changes).public_url
        return

    (problem,) = problems(monkeypatch, **changes)

    assert problem.startswith("MCP_PUBLIC_URL must be an https address")


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"MCP_PORT": "9001"}, "http://127.0.0.1:9001"),
        ({"MCP_HOST": "::1"}, "http://[::1]:8000"),
        ({"MCP_PUBLIC_URL": "https://mcp.example.com/"}, "https://mcp.example.com"),
        ({"MCP_PUBLIC_URL": "https://example.com/redmine/"}, "https://example.com/redmine"),
    ],
)
def test_where_clients_reach_the_server(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], url: str
) -> None:
    """The callback that Redmine's application needs follows from it."""
    settings = load(monkeypatch, **changes)

    assert settings.public_url == url
    assert settings.callback_url == f"{url}/auth/callback"


def test_an_address_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are appended to it."""
    settings = load(monkeypatch, REDMINE_URL="https://example.com/redmine/")

    assert settings.redmine_url == "https://example.com/redmine"


@pytest.mark.parametrize(
    "value",
    ["view_issues search_project", "view_issues,search_project", " view_issues, search_project,\n"],
)
def test_lists_are_split_at_commas_and_blanks(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """However people write a list, it is the same one."""
    settings = load(monkeypatch, REDMINE_SCOPES=value, MCP_REQUIRED_PLUGINS="issues")

    assert settings.redmine_scopes == ["view_issues", "search_project"]
    assert settings.mcp_required_plugins == ["issues"]


@pytest.mark.parametrize("name", ["REDMINE_SCOPES", "MCP_REQUIRED_PLUGINS", "MCP_ENCRYPTION_KEYS"])
def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """``NAME=`` in a compose file sets nothing."""
    assert getattr(load(monkeypatch, **{name: ""}), name.lower()) == []


SECRETS = ["REDMINE_CLIENT_SECRET", "JWT_SIGNING_KEY", "MCP_ENCRYPTION_KEYS"]


def revealed(settings: Settings, name: str) -> Any:
    value = getattr(settings, name.lower())
    if isinstance(value, list):
        return " ".join(item.get_secret_value() for item in value)
    return value.get_secret_value()


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """``NAME_FILE`` names it, as container platforms do; the line end is not part of it."""
    (tmp_path / "secret").write_text(f"{SECRET}-from-a-file\n", encoding="utf-8")

    settings = load(monkeypatch, **{name: None, f"{name}_FILE": str(tmp_path / "secret")})

    assert revealed(settings, name) == f"{SECRET}-from-a-file"


def test_an_address_with_a_password_in_it_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That of a Redis holds one, and shows up in no list of environment variables then."""
    url = "rediss://redmine-mcp:password1234@redis.example.com"
    (tmp_path / "url").write_text(f"{url}\n", encoding="utf-8")

    settings = load(monkeypatch, TOKEN_STORE_URL=None, TOKEN_STORE_URL_FILE=str(tmp_path / "url"))

    assert settings.token_store_url == url


def test_the_variable_itself_goes_before_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of two that are given, the nearer one counts."""
    (tmp_path / "secret").write_text(f"{SECRET}-from-a-file", encoding="utf-8")

    settings = load(monkeypatch, REDMINE_CLIENT_SECRET_FILE=str(tmp_path / "secret"))

    assert revealed(settings, "REDMINE_CLIENT_SECRET") == SECRET


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The path is told, and that it cannot be read."""
    missing = tmp_path / "nothing"

    (problem,) = problems(
        monkeypatch, REDMINE_CLIENT_SECRET=None, REDMINE_CLIENT_SECRET_FILE=str(missing)
    )

    assert problem == f"REDMINE_CLIENT_SECRET_FILE: {missing} cannot be read (FileNotFoundError)."


def test_a_secret_file_of_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key in raw bytes is no text; nothing of it is repeated."""
    (tmp_path / "secret").write_bytes(b"\xff" * 32)

    (problem,) = problems(
        monkeypatch,
        REDMINE_CLIENT_SECRET=None,
        REDMINE_CLIENT_SECRET_FILE=str(tmp_path / "secret"),
    )

    assert problem.endswith("cannot be read (UnicodeDecodeError).")


def test_a_file_is_for_secrets_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no secret has no second way in."""
    (tmp_path / "id").write_text("other", encoding="utf-8")

    settings = load(monkeypatch, REDMINE_CLIENT_ID_FILE=str(tmp_path / "id"))

    assert settings.redmine_client_id == "client"


def test_the_dotenv_file_of_this_folder_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A .env file gives what the environment does not, and the environment goes before it."""
    lines = [f"{name}={value}" for name, value in VALID.items()]
    lines += ["MCP_PORT=9002", "UNKNOWN=ignored"]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("REDMINE_CLIENT_ID", "from the environment")

    settings = load_settings()

    assert settings.redmine_url == "https://redmine.example.com"
    assert settings.mcp_port == 9002
    assert settings.redmine_client_id == "from the environment"


def test_the_dotenv_file_may_name_a_secrets_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``NAME_FILE`` works wherever ``NAME`` works."""
    (tmp_path / "secret").write_text(f"{SECRET}-from-a-file", encoding="utf-8")
    (tmp_path / ".env").write_text(
        f"REDMINE_CLIENT_SECRET_FILE={tmp_path / 'secret'}\n", encoding="utf-8"
    )

    settings = load(monkeypatch, REDMINE_CLIENT_SECRET=None)

    assert revealed(settings, "REDMINE_CLIENT_SECRET") == f"{SECRET}-from-a-file"


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings may be logged as they are."""
    settings = load(
        monkeypatch,
        REDMINE_CLIENT_SECRET=f"{CANARY}-{SECRET}",
        JWT_SIGNING_KEY=f"{CANARY}-{SECRET}",
        MCP_ENCRYPTION_KEYS=f"{CANARY}-{SECRET}",
    )

    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)
    assert CANARY not in settings.model_dump_json()
    assert CANARY in settings.root_secret


def test_the_signing_key_is_the_root_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new client secret in Redmine then signs nobody out."""
    signing = f"{SECRET}-signing"

    assert load(monkeypatch).root_secret == SECRET
    assert load(monkeypatch, JWT_SIGNING_KEY=signing).root_secret == signing


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is used."""
    settings = load(monkeypatch)

    with pytest.raises(ValueError, match="frozen"):
        settings.mcp_port = 1
