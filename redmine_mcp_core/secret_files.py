"""Secrets from files: ``NAME_FILE`` beside every setting that is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class SettingsError(Exception):
    """Settings that cannot work: every problem at once, a line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def read_secret(variable: str, path: str) -> str:
    """What the file holds that this environment variable names. Raises ``SettingsError``."""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{variable}: {path} cannot be read ({type(error).__name__})."]
        ) from error


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is a secret or, like an address with a password in it, may hold one."""
    extra = field.json_schema_extra
    may_hold_one = isinstance(extra, dict) and extra.get("writeOnly") is True
    return may_hold_one or "SecretStr" in str(field.annotation)


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
        if not path or not is_secret(field):
            return None, field_name, False
        return read_secret(f"{field_name.upper()}_FILE", path), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}
