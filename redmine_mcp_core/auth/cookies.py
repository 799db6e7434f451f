"""Cookies of our own pages: signed, for this host only, and out of the reach of scripts."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response


def cookie_name(name: str, base_url: str) -> str:
    """What a cookie is called at this address. Servers at different paths of one host share its
    cookies, since the prefix below wants them for all paths: so each has names of its own."""
    path = urlsplit(base_url).path.strip("/")
    return f"{hashlib.sha256(path.encode()).hexdigest()[:8]}-{name}" if path else name


class Cookie:
    """One cookie, by its name."""

    def __init__(self, name: str, *, key: bytes, https: bool, seconds: int) -> None:
        """``key`` signs; ``seconds`` is how long the browser keeps it."""
        # With this prefix a browser takes it from this host by https only, so that a page of a
        # neighbouring host cannot plant one (RFC 6265bis, section 4.1.3.2).
        self._name = f"__Host-{name}" if https else name
        self._key = hmac.digest(key, f"cookie {name}".encode(), "sha256")
        self._https = https
        self._seconds = seconds

    def read(self, request: Request) -> str | None:
        """What the cookie holds; None if it is absent or not of our making."""
        value, _, signature = request.cookies.get(self._name, "").rpartition(".")
        genuine = hmac.compare_digest(signature.encode(), self._signature(value).encode())
        return value if value and genuine else None

    def set(self, response: Response, value: str) -> None:
        self._write(response, f"{value}.{self._signature(value)}", self._seconds)

    def clear(self, response: Response) -> None:
        self._write(response, "", 0)

    def _write(self, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            self._name,
            value,
            max_age=seconds,
            path="/",
            secure=self._https,
            httponly=True,
            # Not "strict": a person comes back from Redmine, which may be another site, and a
            # strict cookie would stay behind.
            samesite="lax",
        )

    def _signature(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()
