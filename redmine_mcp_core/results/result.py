"""What a tool returns: one typed value, read by programs as data and by a model as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a model is to look at."""

    content: bytes
    mime_type: str


class Result(BaseModel):
    """A tool's answer. Subclasses say in ``text`` what a person would want to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def text(self) -> str:
        """The answer as lean text; it is not the same JSON again."""
        raise NotImplementedError

    def media(self) -> Sequence[Image]:
        """The pictures that go with the text."""
        return ()

    def data(self) -> dict[str, Any]:
        """The answer as ``structuredContent``: no nulls, and nothing that is as usual."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
