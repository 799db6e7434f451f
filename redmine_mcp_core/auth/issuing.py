"""Our tokens: FastMCP's, signed by the keyring and readable for resource servers.

FastMCP signs with one secret, which nobody else may know. A resource server that verifies tokens by
itself needs public keys (RFC 7517), and tokens that say whose they are (RFC 9068).
"""

from __future__ import annotations

import time
from typing import Any

from fastmcp.server.auth.jwt_issuer import JWTIssuer
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from redmine_mcp_core.auth.signing import KEY_PAIRS, Keyring, SigningKey

ACCESS_TYPE = "at+jwt"
"""RFC 9068, section 2.1: what keeps other tokens of ours from being taken for access tokens."""


class TokenIssuer(JWTIssuer):
    """Issues tokens with the key that signs at this moment, and verifies those of all of them.

    With HS256 they are FastMCP's own, which the server goes on to take after a change of the
    algorithm. Which algorithm a token is verified with, its key says and never the token itself.
    """

    def __init__(self, issuer: str, audience: str, signing_key: bytes, keyring: Keyring) -> None:
        super().__init__(issuer=issuer, audience=audience, signing_key=signing_key)
        self._keyring = keyring

    def issue_access_token(
        self,
        client_id: str,
        scopes: list[str],
        jti: str,
        expires_in: int = 3600,
        upstream_claims: dict[str, Any] | None = None,
        subject: str | None = None,
        extra_claims: dict[str, Any] | None = None,
    ) -> str:
        """An access token that names the user: ``sub``, ``preferred_username`` and ``name``."""
        user = upstream_claims or {}
        extra = {
            **({"preferred_username": user["login"]} if "login" in user else {}),
            **({"name": user["name"]} if "name" in user else {}),
            **(extra_claims or {}),
        }
        subject = subject or str(user.get("user_id") or client_id)
        key = self._keyring.signing_key()
        if key is None:
            return super().issue_access_token(
                client_id, scopes, jti, expires_in, upstream_claims, subject, extra
            )
        claims = self._claims(self.audience, client_id, scopes, jti, expires_in, upstream_claims)
        return _sign(key, {**claims, "sub": subject, **extra}, ACCESS_TYPE)

    def issue_refresh_token(
        self,
        client_id: str,
        scopes: list[str],
        jti: str,
        expires_in: int,
        upstream_claims: dict[str, Any] | None = None,
    ) -> str:
        """A refresh token. Its audience is this server, so that no other takes it for anything."""
        key = self._keyring.signing_key()
        if key is None:
            return super().issue_refresh_token(client_id, scopes, jti, expires_in, upstream_claims)
        claims = self._claims(self.issuer, client_id, scopes, jti, expires_in, upstream_claims)
        return _sign(key, {**claims, "token_use": "refresh"}, "JWT")

    def verify_token(self, token: str, expected_token_use: str = "access") -> dict[str, Any]:  # noqa: S107
        """The claims of a token of ours that is good. Raises ``JoseError``."""
        kid = key_id(token)
        if kid is None:
            return super().verify_token(token, expected_token_use)
        key = self._keyring.find(kid)
        if key is None:
            raise JoseError("The token names a key that is none of ours")
        verified = jwt.decode(token, key.pair, registry=_ONLY[key.algorithm])
        claims = verified.claims
        is_access = expected_token_use == "access"  # noqa: S105
        expected = {
            "typ": (verified.header.get("typ"), ACCESS_TYPE if is_access else "JWT"),
            "token_use": (claims.get("token_use", "access"), expected_token_use),
            "iss": (claims.get("iss"), self.issuer),
            "aud": (claims.get("aud"), self.audience if is_access else self.issuer),
        }
        wrong = [name for name, (given, wanted) in expected.items() if given != wanted]
        if wrong or claims.get("exp", 0) < time.time():
            raise JoseError(f"The token is expired or not for this use: {' '.join(wrong)}")
        return claims

    def _claims(
        self,
        audience: str,
        client_id: str,
        scopes: list[str],
        jti: str,
        expires_in: int,
        upstream_claims: dict[str, Any] | None,
    ) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": audience,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "exp": now + expires_in,
            "iat": now,
            "jti": jti,
            **({"upstream_claims": upstream_claims} if upstream_claims else {}),
        }


class _Only(jws.JWSRegistry):
    """One algorithm and no other.

    joserfc warns of the name ``EdDSA`` because it leaves the curve open (RFC 9864). Our keys settle
    the curve, and hardly any verifier knows the new name yet.
    """

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"{name} is not this key's algorithm")
        return self.algorithms[name]


_ONLY = {name: _Only(algorithms=[name]) for name in KEY_PAIRS}


def _sign(key: SigningKey, claims: dict[str, Any], typ: str) -> str:
    header = {"alg": key.algorithm, "kid": key.kid, "typ": typ}
    return jwt.encode(header, claims, key.pair, registry=_ONLY[key.algorithm])


def key_id(token: str) -> str | None:
    """Which key a token names: believed for nothing but to look that one up.

    None for a token that names none, and for what is no JWT at all; both are then verified, or
    refused, as FastMCP's own.
    """
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError, AttributeError):
        return None
    return kid if isinstance(kid, str) else None
