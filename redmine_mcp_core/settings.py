"""Every setting, once: its name, its default, what it means, and what is wrong with it.

The tables in the README and in ``.env.example`` are made from here (``make docs``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

APP = "redmine-mcp"
MIN_SECRET_LENGTH = 16
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(Exception):
    """Settings that cannot work: every problem at once, a line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def default_store_url(name: str = "tokens") -> str:
    """The SQLite file in the user's data directory."""
    return f"sqlite:///{user_data_path(APP) / f'{name}.sqlite3'}"


Words = Annotated[list[str], NoDecode]


class Settings(BaseSettings):
    """The server's settings, from the environment and from a ``.env`` file in this folder."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    redmine_url: str = Field(
        description="Where your Redmine is, as people reach it: `https://redmine.example.com`.",
    )
    redmine_client_id: str = Field(
        description="Client ID of the application registered in Redmine "
        "(Administration > Applications).",
    )
    redmine_client_secret: SecretStr | None = Field(
        default=None,
        description="Its secret. Leave it out for an application that is not confidential; "
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
    mcp_host: str = Field(default="127.0.0.1", description="The address to listen on.")
    mcp_port: int = Field(default=8000, ge=1, le=65535, description="The port to listen on.")
    mcp_public_url: str | None = Field(
        default=None,
        validate_default=True,
        description="Where clients reach this server, when that is not where it listens: "
        "`https://mcp.example.com`.",
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
    mcp_allowed_redirect_uris: Words = Field(
        default=[],
        description="Where MCP clients may have people sent back to, as patterns such as "
        "`http://127.0.0.1:*`. Empty: loopback, and what a client registered.",
    )
    mcp_encryption_keys: Annotated[list[SecretStr], NoDecode] = Field(
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
    jwt_signing_key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret that signs the tokens handed to MCP clients. "
        "Empty: derived from the client secret. Changing it signs everybody out.",
    )
    token_store_url: str = Field(
        default_factory=default_store_url,
        description="Where sign-ins rest: `sqlite:///path`, `redis://host`, or `memory:` "
        "(forgets them when the server stops). Default: a SQLite file in your data directory.",
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

    @field_validator(
        "redmine_scopes",
        "mcp_required_plugins",
        "mcp_tools",
        "mcp_allowed_redirect_uris",
        "mcp_encryption_keys",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

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
        parts = urlsplit(value or f"http://{_in_url(info.data.get('mcp_host', '127.0.0.1'))}")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError(
                "must be an https address where the server is reached from other machines: "
                "Redmine accepts http redirect URIs for this machine only"
            )
        return value

    @field_validator("redmine_client_secret", "jwt_signing_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET_LENGTH:
            raise ValueError(
                f"is shorter than {MIN_SECRET_LENGTH} characters; "
                "make one with: openssl rand -hex 32"
            )
        return value

    @field_validator("jwt_signing_key")
    @classmethod
    def _some_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("redmine_client_secret", "") is None:
            raise ValueError(
                "or REDMINE_CLIENT_SECRET must be set: the secret that Redmine showed for the "
                "application, or, if that is not confidential, a secret of your own"
            )
        return value

    @field_validator("mcp_encryption_keys")
    @classmethod
    def _each_long_enough(cls, value: list[SecretStr]) -> list[SecretStr]:
        for key in value:
            cls._long_enough(key)
        return value

    @property
    def public_url(self) -> str:
        """Where clients reach this server, without a slash at the end."""
        return self.mcp_public_url or f"http://{_in_url(self.mcp_host)}:{self.mcp_port}"

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


class SecretFiles(PydanticBaseSettingsSource):
    """``NAME_FILE`` for every secret: the setting is what that file holds."""

    def __init__(self, settings_cls: type[BaseSettings], dotenv: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._dotenv = dotenv
        """What the .env file holds, by lower-case name."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE") or self._dotenv.get(
            f"{field_name}_file"
        )
        if not path or "SecretStr" not in str(field.annotation):
            return None, field_name, False
        try:
            return Path(path).expanduser().read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [f"{field_name.upper()}_FILE: {path} cannot be read ({type(error).__name__})."]
            ) from error

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises ``SettingsError`` with every problem at once."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError([_sentence(problem) for problem in error.errors()]) from None


def _sentence(problem: Any) -> str:
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    if problem["type"] == "missing":
        description = Settings.model_fields[name.lower()].description or ""
        return f"{name} is not set. {description}"
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    return f"{name} {message}.".strip()
