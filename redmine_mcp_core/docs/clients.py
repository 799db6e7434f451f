"""What the documentation says of clients, made from their table (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterator

from redmine_mcp_core.clients.table import ANY, CHECKED, CLIENTS, Client, Kind, Recipe, Server, Way
from redmine_mcp_core.clients.table import quickest as quickest_for

NEAR = Server("http://127.0.0.1:8000/mcp")
"""The server of the README: one that somebody tries out."""
FAR = Server("https://mcp.example.com/mcp")
"""The server of ``docs/clients.md``: one that others run."""

_WAYS = {
    Way.HTTP: "",
    Way.CONNECT: " through `redmine-mcp connect`",
    Way.STDIO: " with `redmine-mcp stdio`",
}
_FENCES = {Kind.TERMINAL: "sh", Kind.COMMAND: "sh", Kind.MENU: "text", Kind.VALUE: "text"}


def table() -> str:
    """The table of the README, in Markdown: one line for each client that reaches this machine."""
    rows = [
        f"| {client.name} | {_in_code(recipe)}: `{recipe.text(NEAR, one_line=True)}` |"
        for client, recipe in quickest_for(NEAR)
        if "\n" not in recipe.text(NEAR, one_line=True)
    ]
    return "\n".join(["| Client | What to paste |", "|---|---|", *rows])


def sections() -> str:
    """A section for each client, in Markdown."""
    return "\n\n".join("\n\n".join(_section(client)) for client in (*CLIENTS, ANY))


def sources() -> str:
    """Whose documentation says so, in Markdown."""
    rows = [f"| {client.name} | <{client.documentation}> | {CHECKED} |" for client in CLIENTS]
    return "\n".join(["| Client | Its documentation | Compared on |", "|---|---|---|", *rows])


def _section(client: Client) -> Iterator[str]:
    yield f"### {client.name or 'Any other client'}"
    if client.install:
        yield f"One click adds it. The link, for a page of yours:\n\n{_fence(client.install(FAR))}"
    for recipe in client.recipes:
        place = _in_code(recipe)
        yield f"{place[0].upper()}{place[1:]}{_WAYS[recipe.way]}:"
        yield _fence(recipe.text(FAR), _language(recipe))
        if recipe.from_internet:
            yield "Its maker calls the server, from elsewhere: the internet has to reach it."


def _in_code(recipe: Recipe) -> str:
    if recipe.kind is not Kind.FILE:
        return recipe.where
    return recipe.where.replace(recipe.place, f"`{recipe.place}`")


def _language(recipe: Recipe) -> str:
    return _FENCES.get(recipe.kind) or ("yaml" if recipe.place.endswith(".yaml") else "json")


def _fence(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"
