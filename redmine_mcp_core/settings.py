"""Every setting, once: its name, its default, what it means, and what is wrong with it.

``docs/settings.md``, ``.env.example`` and a table of the README are made from here (``make docs``).
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from redmine_mcp_core.edge.settings import MCP_PATH as MCP_PATH
from redmine_mcp_core.edge.settings import EdgeSettings, ListOf, Words
from redmine_mcp_core.secret_files import SecretFiles
from redmine_mcp_core.secret_files import SettingsError as SettingsError

APP = "redmine-mcp"
MIN_SECRET_LENGTH = 16
WAYS_IN = ("oauth", "key-login", "header")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"is shorter than {MIN_SECRET_LENGTH} characters; make one with: openssl rand -hex 32"
        )
    return value


def _whole(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"is shorter than {MIN_SECRET_LENGTH} characters; copy the whole of it from Redmine, "
            "which shows it once, when the application is saved"
        )
    return value


Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
CopiedSecret = Annotated[SecretStr, AfterValidator(_whole)]
"""One that Redmine makes."""


def default_store_url(name: str = "tokens") -> str:
    """The SQLite file in the user's data directory."""
    return f"sqlite:///{user_data_path(APP) / f'{name}.sqlite3'}"


class Settings(EdgeSettings):
    """The server's settings, from the environment and from a ``.env`` file in this folder."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    redmine_url: str = Field(
        description="Where your Redmine is, as people reach it: `https://redmine.example.com`.",
    )
    mcp_sign_in: Words = Field(
        default=["oauth"],
        min_length=1,
        description="How people sign in: `oauth` at a Redmine from 6.1 on, `key-login` with their "
        "API key on a page of ours (any Redmine with REST), `header` with `X-Redmine-API-Key` or "
        "Basic on each request. Several may be named.",
    )
    redmine_client_id: str | None = Field(
        default=None,
        validate_default=True,
        description="Client ID of the application registered in Redmine "
        "(Administration > Applications). Needed for the sign-in `oauth`.",
    )
    redmine_client_secret: CopiedSecret | None = Field(
        default=None,
        description="Its secret, which Redmine makes. Leave it out only without the sign-in "
        "`oauth`, or for an application that Redmine's console made not confidential; "
        "then `JWT_SIGNING_KEY` is required.",
    )
    redmine_scopes: Words = Field(
        default=[],
        description="The scopes ticked in that application, if not all that the plugins ask for: "
        "Redmine refuses a sign-in that asks for one more. "
        "`redmine-mcp plugins` shows what they ask for.",
    )
    redmine_timeout: float = Field(
        default=30.0,
        gt=0,
        le=300,
        description="Seconds for one question to Redmine, retries included.",
    )
    mcp_session_idle_days: float = Field(
        default=7, gt=0, le=365, description="Days after which an unused sign-in ends."
    )
    mcp_session_days: float = Field(
        default=30, gt=0, le=365, description="Days after which any sign-in ends."
    )
    mcp_sessions_per_user: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Sign-ins one user may have at once. One more ends the one not used longest.",
    )
    mcp_host: str = Field(default="127.0.0.1", description="The address to listen on.")
    mcp_port: int = Field(default=8000, ge=1, le=65535, description="The port to listen on.")
    mcp_public_url: str | None = Field(
        default=None,
        validate_default=True,
        description="Where clients reach this server, when that is not where it listens: "
        "`https://mcp.example.com`.",
    )
    mcp_redmines: Words = Field(
        default=[],
        description="Names of several Redmines to serve side by side, such as `intern kunden`. "
        "Each is served below its name, and has its own `REDMINE_INTERN_URL` and so on.",
    )
    mcp_required_plugins: Words = Field(
        default=[],
        description="Plugins without which the server must not start, such as `issues projects`.",
    )
    mcp_tools: Words = Field(
        default=[],
        description="The tools to offer, by name or pattern such as `search_issues *_version`. "
        "Empty: all. A request may narrow it with the header `X-MCP-Tools`.",
    )
    mcp_read_only: bool = Field(
        default=False,
        description="Offer no tool that changes anything. "
        "A request may ask for that with the header `X-MCP-Read-Only: true`.",
    )
    redmine_api_key: SecretStr | None = Field(
        default=None,
        description="Your own API key, for `redmine-mcp stdio`: the server of one person.",
    )
    mcp_files_folder: Path | None = Field(
        default=None,
        description="A folder of this computer from which tools may attach files, and in which "
        "they may save new ones, where the server runs on a person's own computer (stdio). Over "
        "HTTP it has no effect.",
    )
    mcp_registration: Literal["open", "metadata-documents-only", "closed"] = Field(
        default="open",
        description="Who may become a client: `open` lets any register itself or be known by a "
        "metadata document, `metadata-documents-only` asks for such a document, `closed` knows "
        "those that are registered already.",
    )
    mcp_projects: Words = Field(
        default=[],
        description="The projects to keep to, by identifier, whoever comes in; a subproject is "
        "named, too. Nothing of another one is read or changed, and subtasks and searches over all "
        "projects are left out. Empty: all that the user may see.",
    )
    mcp_allowed_redirect_uris: Words = Field(
        default=[],
        description="Where MCP clients may have people sent back to, as patterns such as "
        "`http://127.0.0.1:*`; each client only to what it registered. Empty: any https address, "
        "loopback, and an app's own scheme such as `com.example.app:/done`.",
    )
    mcp_encryption_keys: ListOf[Secret] = Field(
        default=[],
        description="Secrets that encrypt the token store: the first encrypts, all decrypt. "
        "Empty: derived from `JWT_SIGNING_KEY`, else from the client secret.",
    )
    mcp_log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` for machines."
    )
    mcp_log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important log lines to write."
    )
    mcp_access_log: bool = Field(
        default=False,
        description="Write a log line for each HTTP request at level `info` instead of `debug`.",
    )
    mcp_audit_file: Path | None = Field(
        default=None,
        description="A file for the audit trail, one JSON line per write and sign-in. "
        "Empty: the log.",
    )
    mcp_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="A port of its own for the metrics. Empty: `/metrics` on the main port.",
    )
    mcp_metrics_host: str = Field(
        default="127.0.0.1", description="The address that `MCP_METRICS_PORT` listens on."
    )
    mcp_trace_users: bool = Field(
        default=False, description="Put the ids of Redmine users into traces."
    )
    jwt_signing_key: Secret | None = Field(
        default=None,
        validate_default=True,
        description="Secret that signs the tokens handed to MCP clients. "
        "Empty: derived from the client secret. Changing it signs everybody out.",
    )
    mcp_signing_algorithm: Literal["HS256", "RS256", "EdDSA"] = Field(
        default="HS256",
        description="What signs the tokens handed to MCP clients: `HS256` with `JWT_SIGNING_KEY`, "
        "or `RS256` or `EdDSA` with key pairs that the server makes and keeps in its token store, "
        "for resource servers that verify tokens by themselves. It may change at any time.",
    )
    token_store_url: str = Field(
        default_factory=default_store_url,
        description="Where sign-ins rest: `sqlite:///path`, `redis://host`, or `memory:` "
        "(forgets them when the server stops). Default: a SQLite file in your data directory.",
        # With a password in it, it is a secret: TOKEN_STORE_URL_FILE.
        json_schema_extra={"writeOnly": True},
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - passed by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        dotenv = getattr(dotenv_settings, "env_vars", {})
        return init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls, dotenv)

    @field_validator("redmine_url", "mcp_public_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address such as https://redmine.example.com")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("must be a plain address, without user, query or fragment")
        return value.rstrip("/")

    @field_validator("mcp_public_url")
    @classmethod
    def _https_beyond_this_machine(cls, value: str | None, info: ValidationInfo) -> str | None:
        own = "https" if info.data.get("mcp_tls_cert") else "http"
        parts = urlsplit(value or f"{own}://{_in_url(info.data.get('mcp_host', '127.0.0.1'))}")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                "must be an https address where the server is reached from other machines: "
                "Redmine accepts http redirect URIs for this machine only"
            )
        return value

    @field_validator("mcp_files_folder")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.expanduser().is_dir():
            raise ValueError("must name a folder that there is")
        return value

    @field_validator("mcp_sign_in")
    @classmethod
    def _known_ways(cls, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(WAYS_IN)):
            raise ValueError(f"does not know {', '.join(unknown)}: name {', '.join(WAYS_IN)}")
        return value

    @field_validator("redmine_client_id")
    @classmethod
    def _registered(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "oauth" in info.data.get("mcp_sign_in", ()):
            raise ValueError(f"is not set. {cls.model_fields['redmine_client_id'].description}")
        return value

    @field_validator("jwt_signing_key")
    @classmethod
    def _some_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("redmine_client_secret", "") is None:
            raise ValueError(
                "or REDMINE_CLIENT_SECRET must be set: the secret that Redmine showed for the "
                "application, or, where it has none, JWT_SIGNING_KEY to a secret of your own"
            )
        return value

    @field_validator("token_store_url")
    @classmethod
    def _shared_by_workers(cls, value: str, info: ValidationInfo) -> str:
        if value.startswith("memory:") and info.data.get("mcp_workers", 1) > 1:
            raise ValueError(
                "must name a store that processes can share, such as sqlite:///path, for "
                "MCP_WORKERS above 1: each process has a memory of its own"
            )
        return value

    @property
    def public_url(self) -> str:
        """Where clients reach this server, without a slash at the end."""
        own = "https" if self.mcp_tls_cert else "http"
        return self.mcp_public_url or f"{own}://{_in_url(self.mcp_host)}:{self.mcp_port}"

    @property
    def mcp_url(self) -> str:
        """Where clients speak MCP with this server."""
        return f"{self.public_url}{MCP_PATH}"

    @property
    def own_client_id(self) -> str:
        """What we are to Redmine; a name of no consequence where Redmine has no OAuth."""
        return self.redmine_client_id or APP

    @property
    def callback_url(self) -> str:
        """The redirect URI that the application in Redmine needs."""
        return f"{self.public_url}/auth/callback"

    @property
    def root_secret(self) -> str:
        """What the keys of this server are derived from."""
        secret = self.jwt_signing_key or self.redmine_client_secret
        assert secret is not None  # noqa: S101 - _some_secret
        return secret.get_secret_value()


def _in_url(host: str) -> str:
    """An IPv6 address stands in brackets there (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises ``SettingsError`` with every problem at once."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        # Each once: a list of secrets has one sentence, however many of them are too short.
        raise SettingsError(list(dict.fromkeys(map(_sentence, error.errors())))) from None


class _RequiredPlugins(BaseSettings):
    model_config = Settings.model_config

    mcp_required_plugins: Words = []


def required_plugins() -> list[str]:
    """``MCP_REQUIRED_PLUGINS``, whether or not the other settings are there and valid."""
    return _RequiredPlugins().mcp_required_plugins


def load_local_settings() -> Settings:
    """The settings of a server for one person, who brings their own key: it listens nowhere, and
    keeps nothing that would have to be found again. Raises ``SettingsError``."""
    return load_settings(
        mcp_sign_in=["header"],
        mcp_host="127.0.0.1",
        mcp_public_url=None,
        redmine_client_id=None,
        redmine_client_secret=None,
        jwt_signing_key=secrets.token_hex(32),
        token_store_url="memory:",  # noqa: S106 - no password
    )


def own_key(settings: Settings) -> str:
    """The API key of the one person whom ``stdio`` serves. Raises ``SettingsError``."""
    if settings.redmine_api_key is None:
        raise SettingsError(
            [
                "REDMINE_API_KEY is not set. You find yours at "
                f"{settings.redmine_url}/my/account, on the right; or set REDMINE_API_KEY_FILE."
            ]
        )
    return settings.redmine_api_key.get_secret_value()


def _sentence(problem: Any) -> str:
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    if problem["type"] == "missing":
        description = Settings.model_fields[name.lower()].description or ""
        return f"{name} is not set. {description}"
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    return f"{name} {message.rstrip('.')}.".strip()
