"""The front page: whose Redmine this server stands before, and how each client is connected.

It tells strangers nothing that they could not find out by connecting: no version, no plugin. What
is no browser is told where the MCP endpoint is, which is what a client that knocks here looks for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from redmine_mcp_core.auth.header import KEY_HEADER
from redmine_mcp_core.auth.pages.frame import page, paragraph
from redmine_mcp_core.auth.pages.words import Words
from redmine_mcp_core.clients.table import ANY, CLIENTS, Client, Kind, Recipe, Server, Way
from redmine_mcp_core.settings import Settings

INSTALL = "uv tool install redmine-mcp-core"
HTML = {"text/html", "application/xhtml+xml"}
INVALID_REQUEST = -32600

_BODY = Markup("""<h1>{heading}</h1>
<p class="soft">{intro}</p>
{sections}""")

_SECTION = Markup("""<section aria-labelledby="{id}">
<h2 id="{id}">{heading}</h2>
<p class="where">{label}<code translate="no">{url}</code></p>
{key}<p class="soft">{choose}</p>
<div class="clients">
{clients}</div>
{connections}</section>
""")

_CLIENT = Markup("""<details name="{group}"><summary>{name}</summary>
{link}{recipes}</details>
""")

_SNIPPET = Markup("""<p>{where}</p>
<pre translate="no"><code>{text}</code></pre>
""")


@dataclass(frozen=True, slots=True)
class Offer:
    """One Redmine, as far as strangers may know of it."""

    name: str
    """What tells it from others; empty for the only one."""
    server: Server
    connections: str | None
    """The page where people see their connections; None where nobody signs in."""

    @classmethod
    def of(cls, name: str, settings: Settings) -> Offer:
        signs_in = settings.mcp_sign_in != ["header"]
        connections = f"{settings.public_url}/connections" if signs_in else None
        return cls(name, server_of(name, settings), connections)


def server_of(name: str, settings: Settings) -> Server:
    """What clients are told of a server."""
    return Server(settings.mcp_url, f"redmine-{name}" if name else "redmine", settings.redmine_url)


def front(each: Mapping[str, Settings]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint at ``/`` of a process that serves these Redmines, by their names."""
    offers = [Offer.of(name, settings) for name, settings in each.items()]

    async def answer(request: Request) -> Response:
        if request.method in {"GET", "HEAD"} and _wants_html(request):
            return front_page(request, offers)
        return _elsewhere(offers)

    return answer


async def opened_in_a_browser(request: Request) -> Response:
    """A GET of the MCP endpoint: a person is shown how to connect, a client that there is no
    stream (MCP 2025-11-25, Streamable HTTP, "Listening for messages")."""
    if _wants_html(request):
        return RedirectResponse("./", 303, {"Vary": "Accept"})
    return PlainTextResponse("Method Not Allowed", 405, {"Allow": "DELETE, POST"})


def _wants_html(request: Request) -> bool:
    """Whether HTML is named, as a browser does; ``*/*`` says nothing (RFC 9110, section 12.5.1)."""
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(part.partition(";")[0].strip() in HTML for part in accepted)


def _elsewhere(offers: list[Offer]) -> Response:
    """404 in the shape of JSON-RPC, whose message MCP clients show."""
    places = [offer.server.url for offer in offers]
    message = f"There is no MCP endpoint here. It is at {' or '.join(places)}"
    error = {"code": INVALID_REQUEST, "message": message, "data": {"mcp": places}}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 404, {"Vary": "Accept"})


def front_page(request: Request, offers: list[Offer]) -> Response:
    words = Words.for_reader(request)
    body = _BODY.format(
        heading=words("front.heading"),
        intro=words("front.intro"),
        sections=Markup("").join(_section(words, offer) for offer in offers),
    )
    answer = page(words, "front.title", body, wide=True)
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def _section(words: Words, offer: Offer) -> Markup:
    server = offer.server
    key = words("front.key", header=_code(KEY_HEADER))
    return _SECTION.format(
        id=server.name,
        heading=words(
            "front.redmine.named" if offer.name else "front.redmine",
            name=Markup('<span translate="no">{}</span>').format(offer.name),
            redmine=_redmine(server.redmine_url),
        ),
        label=words("front.address"),
        url=server.url,
        key="" if offer.connections else paragraph(key, "warning"),
        choose=words("front.choose"),
        clients=Markup("").join(_client(words, server, client) for client in (*CLIENTS, ANY)),
        connections=_connections(words, offer.connections) if offer.connections else "",
    )


def _client(words: Words, server: Server, client: Client) -> Markup:
    button = Markup('<p><a class="button" href="{}">{}</a></p>\n')
    name = Markup('<span translate="no">{}</span>').format(client.name)
    recipes = (recipe for recipe in client.recipes if recipe.way is not Way.STDIO)
    return _CLIENT.format(
        group=server.name,
        name=name if client.name else words("front.other"),
        link=(
            button.format(client.install(server), words("front.add", client=name))
            if client.install
            else ""
        ),
        recipes=Markup("").join(_recipe(words, server, recipe) for recipe in recipes),
    )


def _recipe(words: Words, server: Server, recipe: Recipe) -> Markup:
    remark = Markup("")
    if recipe.from_internet:
        remark = paragraph(words("front.from_internet"), "soft")
    if recipe.way is Way.CONNECT:
        bridge = words("front.bridge", program=_code(server.command[0]), install=_code(INSTALL))
        remark = paragraph(bridge, "soft")
    where = words(f"front.{recipe.kind}", place=_place(recipe))
    return _SNIPPET.format(where=where, text=recipe.text(server)) + remark


def _connections(words: Words, address: str) -> Markup:
    link = Markup('<a href="{}">{}</a>').format(address, words("connections.link"))
    return paragraph(words("front.connections", connections=link))


def _redmine(url: str) -> Markup:
    parts = urlsplit(url)
    shown = f"{parts.netloc}{parts.path}"
    return Markup('<a href="{}" translate="no">{}</a>').format(url, shown)


def _place(recipe: Recipe) -> Markup:
    if recipe.kind is Kind.MENU:
        return Markup('<b translate="no">{}</b>').format(recipe.place)
    return _code(recipe.place)


def _code(text: str) -> Markup:
    return Markup('<code translate="no">{}</code>').format(text)
