"""TLS of our own, for a server without a proxy before it."""

from __future__ import annotations

import ssl
from pathlib import Path

from redmine_mcp_core.observability.logs import log


class CannotUse(Exception):
    """A certificate and a key that cannot be served with; one sentence that says why."""


class Tls:
    """A certificate and its key, which can be renewed while the server runs."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ``CannotUse``."""
        self._files = certificate, key
        self._newest = self.context = self._load()
        # A context keeps a certificate for each kind of key, so that an older one of another kind
        # would be served on: each connection gets the newest context instead.
        self.context.sni_callback = self._take_newest

    def reload(self) -> None:
        """Read both files again; new connections get what they hold now.

        A pair that cannot be used is logged, and the one in use stays.
        """
        try:
            self._newest = self._load()
        except CannotUse as error:
            log.error("tls_not_reloaded", problem=str(error))
        else:
            log.info("tls_reloaded")

    def _take_newest(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Asked at the beginning of each handshake, whether the client names a host or not."""
        connection.context = self._newest

    def _load(self) -> ssl.SSLContext:
        certificate, key = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without a password of its own, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password=_no_password)
        except _Encrypted:
            raise CannotUse("MCP_TLS_KEY: the key is encrypted; decrypt it first.") from None
        except ssl.SSLError as error:
            raise CannotUse(
                "MCP_TLS_KEY: the key does not belong to the certificate in MCP_TLS_CERT."
                if error.reason == "KEY_VALUES_MISMATCH"
                else "MCP_TLS_CERT and MCP_TLS_KEY must hold a certificate and its key as PEM."
            ) from None
        except OSError as error:
            raise CannotUse(
                f"MCP_TLS_CERT, MCP_TLS_KEY: {certificate} and {key} cannot both be read "
                f"({error.strerror})."
            ) from None
        return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted
