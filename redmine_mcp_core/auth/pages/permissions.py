"""Permissions in plain words, by what they let a client do, and what a person makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.datastructures import FormData

from redmine_mcp_core.auth.pages.texts import ENGLISH
from redmine_mcp_core.auth.pages.words import Words

SEES = ("view_", "search_", "browse_", "export_")
DELETES = ("delete_",)

KINDS = ("see", "change", "delete")

_NOTHING = Markup('<div class="nothing"><dt>{}</dt><dd>{}</dd></div>')
"""Shown where, by what is asked for or by what is chosen, there is nothing to change."""

_CHOICES = Markup(
    """<fieldset class="cards"><legend>{legend}</legend>
<div class="card">{all}</div>
<div class="card">{read}</div>
<div class="card">{some}</div>
<div class="card panel">{described}<div class="pick">{groups}</div></div>
</fieldset>"""
)
"""Which parts of the panel are shown, the style sheet decides by what is chosen."""

_TOLD = [name.removeprefix("scope.") for name in ENGLISH if name.startswith("scope.")]
_PLACES = {scope: place for place, scope in enumerate(_TOLD)}


def kind_of(scope: str) -> str:
    """Whether a permission is there to see, to change or to delete."""
    if scope.startswith(SEES):
        return "see"
    return "delete" if scope.startswith(DELETES) else "change"


def grouped(scopes: Sequence[str]) -> dict[str, list[str]]:
    """The permissions by kind, without kinds that have none."""
    ordered = sorted(scopes, key=lambda scope: (_PLACES.get(scope, len(_PLACES)), scope))
    groups = {kind: [scope for scope in ordered if kind_of(scope) == kind] for kind in KINDS}
    return {kind: members for kind, members in groups.items() if members}


def spoken(words: Words, scope: str) -> Markup:
    """A permission in plain words; one that nobody put into words yet by its name in Redmine."""
    name = scope
    for prefix in (*SEES, *DELETES):
        name = name.removeprefix(prefix)
    return words.known(f"scope.{scope}") or Markup("{}").format(name.replace("_", " "))


def described(words: Words, scopes: Sequence[str]) -> Markup:
    """Groups in plain words: what a client could see, change and delete."""
    groups, comma = grouped(scopes), words("list.comma")
    rows = [
        Markup('<div class="{}"><dt>{}</dt><dd>{}</dd></div>').format(
            kind, words(f"can.{kind}"), comma.join(spoken(words, scope) for scope in members)
        )
        for kind, members in groups.items()
    ]
    rows.append(_NOTHING.format(words("can.nothing"), words("can.nothing.more")))
    kind = "" if groups.keys() - {"see"} else " reading"
    return Markup('<dl class="permissions{}">{}</dl>').format(kind, Markup("").join(rows))


def choices(words: Words, scopes: Sequence[str]) -> Markup:
    """What the person may leave to the client; nothing to choose where it asks to see only."""
    all_of_it, groups = described(words, scopes), grouped(scopes)
    if groups.keys() == {"see"}:
        return all_of_it
    ticks = Markup("").join(
        Markup("<fieldset><legend>{}</legend>{}</fieldset>").format(
            words(f"can.{kind}"),
            Markup("").join(
                Markup(
                    '<label class="tick"><input type="checkbox" name="scope" value="{}" checked> '
                    "<span>{}</span></label>"
                ).format(scope, spoken(words, scope))
                for scope in members
            ),
        )
        for kind, members in groups.items()
    )
    return _CHOICES.format(
        legend=words("choose.legend"),
        all=_radio(words, "limit", "all", checked=True),
        read=_radio(words, "limit", "read"),
        some=_radio(words, "limit", "some"),
        described=all_of_it,
        groups=ticks,
    )


def ways(words: Words, offered: Sequence[str]) -> Markup:
    """How the person may sign in, where there are several ways."""
    if len(offered) < 2:
        return Markup("")
    return Markup('<fieldset class="cards"><legend>{}</legend>{}</fieldset>').format(
        words("way.legend"),
        Markup("").join(
            Markup('<div class="card">{}</div>').format(
                _radio(words, "way", way, checked=way == offered[0])
            )
            for way in offered
        ),
    )


def chosen(form: Mapping[str, Any], scopes: Sequence[str]) -> list[str]:
    """The scopes that the person left to the client on the consent page, of those it asked for."""
    match form.get("limit"):
        case "read":
            return [scope for scope in scopes if kind_of(scope) == "see"]
        case "some":
            ticked = form.getlist("scope") if isinstance(form, FormData) else []
            return [scope for scope in scopes if scope in ticked]
        case _:
            return list(scopes)


def _radio(words: Words, name: str, value: str, *, checked: bool = False) -> Markup:
    return Markup(
        '<label><input type="radio" name="{}" value="{}"{}> <span><b>{}</b>{}</span></label>'
    ).format(
        name,
        value,
        Markup(" checked") if checked else "",
        words(f"choose.{name}.{value}"),
        Markup("<small>{}</small>").format(words(f"choose.{name}.{value}.more")),
    )
