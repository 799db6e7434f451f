"""A browser for pages without script: follows redirects, keeps cookies, fills in forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin

import httpx


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    """What the form holds; a list where a name comes more than once."""
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        before = self.fields.get(name)
        if before is None:
            self.fields[name] = value
        else:
            self.fields[name] = [*([before] if isinstance(before, str) else before), value]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open and (tag == "button" or given.get("type") == "submit"):
            self._open.buttons.append((given.get("name", ""), given.get("value", "")))
        elif self._open and tag == "input" and given.get("name"):
            ticked = given.get("type") not in {"checkbox", "radio"} or "checked" in given
            if ticked:
                self._open.add(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


class Browser:
    """One person's browser. It stops where it is sent to an address of the client's."""

    def __init__(self, client_redirect_uri: str) -> None:
        self._stop = client_redirect_uri
        self._http = httpx.AsyncClient(follow_redirects=False, timeout=30)
        self.page = httpx.Response(204)
        self.arrived: httpx.URL | None = None
        """Where the client was sent to in the end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def url(self) -> str:
        return str(self.page.url)

    async def visit(self, url: str) -> None:
        await self._follow(await self._http.get(url, headers={"Accept": "text/html"}))

    async def _follow(self, response: httpx.Response) -> None:
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if target.startswith(self._stop):
                self.arrived = httpx.URL(target)
                return
            response = await self._http.get(target, headers={"Accept": "text/html"})
        self.page = response

    def form(self, field_name: str) -> Form:
        """The form of this page that has this field or button."""
        parser = _Forms()
        parser.feed(self.page.text)
        for form in parser.forms:
            if field_name in form.fields or any(name == field_name for name, _ in form.buttons):
                return form
        raise AssertionError(f"no form with {field_name} at {self.url}:\n{self.page.text[:2000]}")

    async def submit(self, form: Form, **fields: str | list[str]) -> None:
        """Send a form with these fields besides its own."""
        address = urljoin(self.url, form.action) if form.action else self.url
        data = {**form.fields, **fields}
        sent: dict[str, Any] = {"params" if form.method == "get" else "data": data}
        await self._follow(
            await self._http.request(
                form.method.upper(), address, **sent, headers={"Accept": "text/html"}
            )
        )
