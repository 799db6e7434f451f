"""What others may see on the wire to Redis: nothing, and only the right Redis is talked to."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import StoreUnavailable

(BACKEND,) = plugin.register_token_stores()


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "redis.crt", directory / "redis.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


@pytest.fixture
def tls_url(tmp_path: Path, server_class: Any) -> Iterator[str]:
    """The URL of a Redis that speaks TLS, without the certificate to trust."""
    certificate, key = make_certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    server = server_class(tmp_path, options=[*options, *files])
    yield f"rediss://127.0.0.1:{port}/0"
    server.stop()


async def test_over_tls_with_the_right_certificate(tls_url: str, tmp_path: Path) -> None:
    """A private certificate that the URL names is trusted, and all works as in the clear."""
    async with BACKEND.open(f"{tls_url}?ssl_ca_certs={tmp_path}/redis.crt") as store:
        await store.put("key", {"n": 1})

        assert await store.get("key") == {"n": 1}


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls_url: str, tmp_path: Path
) -> None:
    """Without the certificate named, or under another name, nothing is sent; the error says so."""
    for url in (
        tls_url,
        f"{tls_url}?ssl_ca_certs={tmp_path}/redis.crt".replace("127.0.0.1", "localhost"),
    ):
        with pytest.raises(StoreUnavailable, match="certificate"):
            async with BACKEND.open(url):
                pass
