"""Tokens signed with key pairs: verified by strangers, changed while people are signed in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from redmine_mcp_core.auth.issuing import TokenIssuer, key_id
from redmine_mcp_core.auth.signing import (
    PUBLISHED_SECONDS,
    REREAD_SECONDS,
    SLACK_SECONDS,
    Algorithm,
    Keyring,
)
from redmine_mcp_core.storage import MemoryStore, StoreUnavailable
from tests.support.servers import Running, Target, free_port, running_server
from tests.support.sign_in import refresh, sign_in
from tests.support.signed_in import ping

ISSUER, AUDIENCE = "https://mcp.example.com/", "https://mcp.example.com/mcp"
LIFETIME = 30 * 86_400.0
PAIRS: list[Algorithm] = ["RS256", "EdDSA"]
USER = {"user_id": 5, "login": "alice", "name": "Alice Ace"}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class CountingStore(MemoryStore):
    """Counts how often it is read, and can be away."""

    reads = 0
    away = False

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        self.reads += 1
        if self.away:
            raise StoreUnavailable("away")
        return await super().get(key, collection=collection)


def ring_of(store: MemoryStore, clock: Clock, algorithm: Algorithm = "EdDSA") -> Keyring:
    return Keyring(store, algorithm, lifetime=LIFETIME, clock=clock)


def issuer_of(ring: Keyring, secret: bytes = b"0" * 32) -> TokenIssuer:
    return TokenIssuer(ISSUER, AUDIENCE, secret, ring)


def access_token(issuer: TokenIssuer) -> str:
    return issuer.issue_access_token("client", ["view_issues"], "jti", 60, upstream_claims=USER)


def refresh_token(issuer: TokenIssuer) -> str:
    return issuer.issue_refresh_token("client", ["view_issues"], "jti", 60, upstream_claims=USER)


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# -- What a resource server sees -------------------------------------------------------------------


async def jwks_of(server: Running) -> dict[str, Any]:
    async with httpx.AsyncClient() as http:
        metadata = (await http.get(f"{server.url}/.well-known/oauth-authorization-server")).json()
        return dict((await http.get(metadata["jwks_uri"])).json())


@pytest.mark.parametrize("algorithm", PAIRS)
async def test_a_third_party_verifies_a_token_by_the_jwks(
    sandbox: Target, algorithm: Algorithm
) -> None:
    """Another library finds the key by its ``kid`` and learns whose token it is (RFC 9068)."""
    async with running_server(sandbox, mcp_signing_algorithm=algorithm) as server:
        tokens = await sign_in(server.url)
        keys = jwt.PyJWKSet.from_dict(await jwks_of(server))
        header = jwt.get_unverified_header(tokens.access)
        claims = jwt.decode(
            tokens.access,
            keys[header["kid"]],
            algorithms=[algorithm],
            audience=f"{server.url}/mcp",
            issuer=f"{server.url}/",
            options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
        )

        assert header["typ"] == "at+jwt"
        assert (claims["sub"], claims["preferred_username"]) == ("5", "alice")
        assert claims["scope"].split() == tokens.scopes
        assert (await ping(server, tokens.access)).status_code == 200
        assert (await refresh(server.url, tokens)).status_code == 200


async def test_the_jwks_holds_nothing_private(sandbox: Target) -> None:
    """Only public members of the keys are published (RFC 7518, section 6.3.2)."""
    async with running_server(sandbox, mcp_signing_algorithm="RS256") as server:
        await sign_in(server.url)
        keys = (await jwks_of(server))["keys"]

    assert [set(key) for key in keys] == [{"kty", "n", "e", "use", "alg", "kid"}]


async def test_a_refresh_token_is_no_access_token_to_anybody() -> None:
    """A resource server that looks at the audience alone refuses it, and so do we."""
    ring = ring_of(MemoryStore(), Clock())
    await ring.ready()
    issuer = issuer_of(ring)
    token = refresh_token(issuer)
    keys = jwt.PyJWKSet.from_dict(ring.jwks())

    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, keys.keys[0], algorithms=["EdDSA"], audience=AUDIENCE)
    with pytest.raises(JoseError):
        issuer.verify_token(token)
    with pytest.raises(JoseError):
        issuer.verify_token(access_token(issuer), "refresh")
    assert issuer.verify_token(token, "refresh")["jti"] == "jti"


async def test_hs256_publishes_nothing(server: Running) -> None:
    """The simple default has no public keys: no JWKS, and no word of one."""
    async with httpx.AsyncClient() as http:
        metadata = (await http.get(f"{server.url}/.well-known/oauth-authorization-server")).json()
        keys = await http.get(f"{server.url}/.well-known/jwks.json")

    assert "jwks_uri" not in metadata
    assert keys.status_code == 404


async def test_a_change_of_the_algorithm_logs_nobody_out(sandbox: Target, tmp_path: Path) -> None:
    """From the secret to key pairs, to other ones, and back: tokens of before go on to work."""
    port, store = free_port(), f"sqlite:///{tmp_path}/tokens.sqlite3"
    tokens = None
    for algorithm in ("HS256", "RS256", "EdDSA", "HS256"):
        async with running_server(
            sandbox, port=port, token_store_url=store, mcp_signing_algorithm=algorithm
        ) as server:
            if tokens is not None:
                assert (await ping(server, tokens.access)).status_code == 200
                assert (await refresh(server.url, tokens)).status_code == 200
            tokens = await sign_in(server.url)
            assert jwt.get_unverified_header(tokens.access)["alg"] == algorithm


# -- Attacks ---------------------------------------------------------------------------------------


@pytest.fixture
async def rsa() -> TokenIssuer:
    ring = ring_of(MemoryStore(), Clock(), "RS256")
    await ring.ready()
    return issuer_of(ring)


def claims_of(issuer: TokenIssuer) -> dict[str, Any]:
    return issuer.verify_token(access_token(issuer))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
@pytest.mark.parametrize("names_a_key", [True, False])
async def test_an_unsigned_token_is_refused(
    rsa: TokenIssuer, algorithm: str, names_a_key: bool
) -> None:
    """``alg: none`` is no algorithm of ours (RFC 8725, section 3.2)."""
    header: dict[str, Any] = {"alg": algorithm, "typ": "at+jwt"}
    if names_a_key:
        header["kid"] = key_id(access_token(rsa))
    claims = claims_of(rsa)

    for signature in ("", segment(b"0" * 256)):
        with pytest.raises(JoseError):
            rsa.verify_token(f"{segment(header)}.{segment(claims)}.{signature}")


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
@pytest.mark.parametrize("names_a_key", [True, False])
async def test_the_public_key_is_no_secret_to_sign_with(
    rsa: TokenIssuer, form: str, names_a_key: bool
) -> None:
    """HS256 with the published RSA key as its secret is refused (RFC 8725, section 2.1)."""
    kid = key_id(access_token(rsa))
    key = rsa._keyring.find(str(kid))
    assert key is not None
    assert isinstance(key.pair, RSAKey)
    secret = (
        json.dumps(key.public).encode()
        if form == "jwk"
        else key.pair.as_bytes(encoding="PEM" if form == "pem" else "DER", private=False)
    )
    header = {"alg": "HS256", "typ": "at+jwt", **({"kid": kid} if names_a_key else {})}
    signed = f"{segment(header)}.{segment(claims_of(rsa))}"
    forged = f"{signed}.{segment(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    with pytest.raises(JoseError):
        rsa.verify_token(forged)


async def test_a_key_signs_with_its_own_algorithm_only(rsa: TokenIssuer) -> None:
    """The key says which algorithm it is for: RS512 of the same key is refused."""
    key = rsa._keyring.keys[0]
    pem = key.pair.as_bytes(encoding="PEM", private=True)  # type: ignore[union-attr]
    token = jwt.encode(
        claims_of(rsa), pem, algorithm="RS512", headers={"kid": key.kid, "typ": "at+jwt"}
    )

    with pytest.raises(JoseError):
        rsa.verify_token(token)


@pytest.mark.parametrize(
    ("name", "value"),
    [("aud", "https://other.example.com/mcp"), ("iss", "https://evil.example"), ("exp", 1)],
)
async def test_a_token_of_ours_for_something_else_is_refused(
    rsa: TokenIssuer, name: str, value: object
) -> None:
    """A good signature is not enough: type, audience, issuer and time count."""
    key = rsa._keyring.keys[0]
    pem = key.pair.as_bytes(encoding="PEM", private=True)  # type: ignore[union-attr]
    headers = {"kid": key.kid, "typ": "at+jwt"}
    good = jwt.encode(claims_of(rsa), pem, algorithm="RS256", headers=headers)
    untyped = jwt.encode(claims_of(rsa), pem, algorithm="RS256", headers={"kid": key.kid})
    bad = jwt.encode({**claims_of(rsa), name: value}, pem, algorithm="RS256", headers=headers)

    assert rsa.verify_token(good)
    for token in (bad, untyped):
        with pytest.raises(JoseError):
            rsa.verify_token(token)


async def test_what_is_no_token_is_refused_and_nothing_breaks(server: Running) -> None:
    """Not a 500, and no look into the store for keys."""
    proxy: Any = server.host.mcp.auth
    odd = [f"{segment(header)}.e30.x" for header in ([1], "x", {"kid": [1]}, {"kid": None})]

    for token in ("", "x", "a.b.c", "é.é.é", *odd):
        assert key_id(token) is None
        assert await proxy.load_access_token(token) is None


# -- Rotation --------------------------------------------------------------------------------------


async def test_a_new_key_is_published_before_it_signs() -> None:
    """For two minutes every replica, and every reader of the JWKS, can learn of it."""
    clock, store = Clock(), MemoryStore()
    ring, operator = ring_of(store, clock), ring_of(store, clock)
    await ring.ready()
    old = ring.signing_key()
    assert old is not None
    new = await operator.rotate()
    clock.now += REREAD_SECONDS
    await ring.ready()

    assert {key["kid"] for key in ring.jwks()["keys"]} == {old.kid, new.kid}
    clock.now = new.signs_from - 0.001
    assert key_id(access_token(issuer_of(ring))) == old.kid
    clock.now = new.signs_from
    assert key_id(access_token(issuer_of(ring))) == new.kid
    assert PUBLISHED_SECONDS >= 2 * REREAD_SECONDS


async def test_an_old_key_verifies_for_as_long_as_its_tokens_live_and_is_then_removed() -> None:
    """Rotating logs nobody out; afterwards the old private key is gone from the store."""
    clock, store = Clock(), MemoryStore()
    ring = ring_of(store, clock)
    await ring.ready()
    token = refresh_token(issuer_of(ring))
    new = await ring.rotate()
    clock.now = new.signs_from + LIFETIME
    await ring.ready()

    assert issuer_of(ring).verify_token(token, "refresh")
    clock.now += SLACK_SECONDS
    with pytest.raises(JoseError):
        issuer_of(ring).verify_token(token, "refresh")
    await ring.ready()
    fresh = ring_of(store, clock)
    await fresh.read()
    assert [key.kid for key in fresh.keys] == [new.kid]
    held = await store.get("ring", collection="signing-keys")
    assert held is not None
    assert len(held["keys"]) == 1


async def test_rotating_twice_in_a_hurry_leaves_no_gap() -> None:
    """At every moment exactly one key signs, and every token of before verifies."""
    clock = Clock()
    ring = ring_of(MemoryStore(), clock)
    await ring.ready()
    tokens = [refresh_token(issuer_of(ring))]
    await ring.rotate()
    clock.now += PUBLISHED_SECONDS / 2
    await ring.rotate()
    for _ in range(8):
        clock.now += PUBLISHED_SECONDS / 4
        tokens.append(refresh_token(issuer_of(ring)))

    assert len({key_id(token) for token in tokens}) == 3
    for token in tokens:
        assert issuer_of(ring).verify_token(token, "refresh")


@pytest.mark.parametrize("algorithm", PAIRS)
async def test_replicas_that_start_at_once_agree_on_a_key(algorithm: Algorithm) -> None:
    """The key is made once, whoever comes first."""
    clock, store = Clock(), MemoryStore()
    rings = [ring_of(store, clock, algorithm) for _ in range(4)]
    await asyncio.gather(*(ring.ready() for ring in rings))

    assert len({key_id(access_token(issuer_of(ring))) for ring in rings}) == 1


async def test_a_key_made_elsewhere_is_looked_up_at_once_but_not_for_every_invention() -> None:
    """An unknown ``kid`` costs one look into the store a second, however many are made up."""
    clock, store = Clock(), CountingStore()
    ring, other = ring_of(store, clock, "HS256"), ring_of(store, clock)
    await ring.ready()
    await other.ready()
    token = access_token(issuer_of(other))
    clock.now += 1
    await ring.ready(key_id(token))
    assert issuer_of(ring).verify_token(token)

    before = store.reads
    for number in range(100):
        await ring.ready(f"invented-{number}")
    assert store.reads == before
    clock.now += 1
    await ring.ready("invented")
    await ring.ready("invented")
    assert store.reads == before + 1


async def test_while_the_store_is_away_known_keys_hold() -> None:
    """An outage signs nobody out; a replica that never saw the keys says so and signs nothing."""
    clock, store = Clock(), CountingStore()
    ring, late = ring_of(store, clock), ring_of(store, clock)
    await ring.ready()
    token = access_token(issuer_of(ring))
    store.away = True
    clock.now += 10 * REREAD_SECONDS
    await ring.ready()
    await late.ready()

    assert issuer_of(ring).verify_token(token)
    assert issuer_of(ring).verify_token(access_token(issuer_of(ring)))
    with pytest.raises(StoreUnavailable):
        access_token(issuer_of(late))


async def test_a_secret_does_not_rotate() -> None:
    """HS256 has one secret, from the settings: saying so beats pretending."""
    with pytest.raises(ValueError, match="HS256"):
        await ring_of(MemoryStore(), Clock(), "HS256").rotate()


async def test_private_keys_show_in_no_repr() -> None:
    """What is logged by mistake holds no key."""
    ring = ring_of(MemoryStore(), Clock())
    await ring.ready()
    private = ring.keys[0].pair.as_dict(private=True)["d"]

    assert str(private) not in repr(ring.keys)
