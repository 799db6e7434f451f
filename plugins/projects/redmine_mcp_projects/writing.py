"""What a write wished for, what came of it, and what Redmine silently left as it was.

Redmine answers 204 whether or not it took a value (``safe_attributes=`` drops what the role may not
set), so a record is read before and after, and the two are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from redmine_mcp_core import BadArgument, Quotation, Result, line, shorten, visible

SHOWN_CHARACTERS = 120
"""How much of a changed value is told."""

_NOT_TOLD = frozenset({"id", "created_on", "updated_on", "estimated_hours", "spent_hours"})


class Wish(NamedTuple):
    """One value to be written, and how the record will show that it was taken."""

    attribute: str
    """As Redmine's API takes it: ``parent_id``."""
    value: Any
    field: str
    """As Redmine's API shows it: ``parent``."""
    shown: str


def body_of(wishes: Iterable[Wish]) -> dict[str, Any]:
    """The attributes of a request; custom fields are gathered in their list."""
    body: dict[str, Any] = {}
    for wish in wishes:
        if wish.attribute == "custom_fields":
            body.setdefault("custom_fields", []).append(wish.value)
        else:
            body[wish.attribute] = wish.value
    return body


def plain(attribute: str, value: Any, field: str = "") -> Iterator[Wish]:
    """A wish for a value that is shown as it is written; none for ``None``."""
    if value is not None:
        yield Wish(attribute, value, field or attribute, _shown(value))


def custom(wanted: Mapping[str, Any] | None, record: Mapping[str, Any]) -> Iterator[Wish]:
    """Wishes for custom fields by name or id, as a record of the same kind shows them."""
    fields = record.get("custom_fields", ())
    for name, value in (wanted or {}).items():
        fitting = [
            field
            for field in fields
            if name.casefold() == field["name"].casefold() or name == str(field["id"])
        ]
        if len(fitting) != 1:
            there = ", ".join(line(field["name"]) for field in fields) or "none"
            raise BadArgument(
                f"There is no custom field “{name[:80]}” here. There are: ", there, "."
            )
        field = fitting[0]
        yield Wish(
            "custom_fields", {"id": field["id"], "value": value}, field["name"], _shown(value)
        )


class Change(BaseModel):
    """What a field held, and what it holds."""

    before: str = ""
    after: str = ""


class Written(Result):
    """What a write did."""

    what: str
    """In the server's own words: "Version 4 changed"."""
    name: str = ""
    id: int | None = None
    url: str | None = None
    changed: dict[str, Change] = Field(default_factory=dict)
    not_taken: dict[str, str] = Field(default_factory=dict)
    """What was asked for and Redmine silently left out, by field."""
    kept: str = ""
    """What was to go and stays, by name."""
    note: str = ""
    """In the server's own words alone."""

    def text(self) -> str:
        rows = [self.name] if self.name else []
        rows += [
            f"{field}: {_cut(change.before)} -> {_cut(change.after)}"
            if change.before
            else f"{field}: {_cut(change.after)}"
            for field, change in self.changed.items()
        ]
        if self.not_taken:
            fields = ", ".join(self.not_taken)
            rows.append(
                f"Redmine silently left out: {fields}. Your role or this sign-in may not set it, "
                "or the value does not fit."
            )
        rows += [self.kept] if self.kept else []
        parts = [f"{self.what}.", Quotation().enclose("\n".join(rows)) if rows else ""]
        return "\n".join(filter(None, [*parts, self.note, self.url]))


def compared(
    wishes: Iterable[Wish], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Change], dict[str, str]]:
    """What differs between the two records, and the wishes that did not come true.

    Of a new record (``before`` is empty) only the latter is told.
    """
    old, new = flat(before), flat(after)
    changed = {
        line(name): Change(before=old.get(name, ""), after=new.get(name, ""))
        for name in dict.fromkeys([*old, *new])
        if before and old.get(name, "") != new.get(name, "")
    }
    not_taken = {
        line(wish.field): wish.shown
        for wish in wishes
        if new.get(wish.field, "") != wish.shown and not _links_to(wish.value, after, wish.field)
    }
    return changed, not_taken


def _links_to(value: Any, record: Mapping[str, Any], field: str) -> bool:
    """Whether the record's field is a link to this id, whatever the name that it is shown by."""
    link = record.get(field)
    return isinstance(link, dict) and link.get("id") == value


def flat(record: Mapping[str, Any]) -> dict[str, str]:
    """A record as field and shown value; custom fields by their names."""
    shown = {
        name: _shown(value)
        for name, value in record.items()
        if name not in _NOT_TOLD and name != "custom_fields"
    }
    return shown | {
        field["name"]: _shown(field.get("value")) for field in record.get("custom_fields", ())
    }


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            return line(str(value.get("name", "")))
        case list() | tuple():
            return ", ".join(sorted(map(_shown, value)))
        case _:
            return visible(str(value)).strip()


def _cut(value: str) -> str:
    kept, left_out = shorten(line(value), SHOWN_CHARACTERS)
    return (kept or "nothing") + (f" (and {left_out} more characters)" if left_out else "")
