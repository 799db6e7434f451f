"""Doorkeeper's rules as Redmine 6.1 configures it: grants, tokens, refresh, revocation.

Pure: no HTTP here, time comes from a clock that is handed in. Measured on Doorkeeper 5.9.9; where
it goes beyond RFC 6749, 7009 or 7636 the comments say so.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from redmine_mcp_sandbox.oauth_errors import OAuthError
from redmine_mcp_sandbox.redirects import matches_redirect_uri
from redmine_mcp_sandbox.roles import PUBLIC_PERMISSIONS
from redmine_mcp_sandbox.seed import Application

CODE_LIFETIME = 600
"""Seconds for which an authorization code can be exchanged."""
TOKEN_LIFETIME = 7200
"""Seconds for which an access token is accepted."""

CHALLENGE_METHODS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda verifier: verifier,
    "S256": lambda verifier: (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    ),
}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request to /oauth/authorize that is worth asking the user about."""

    application: Application
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    code_challenge: str
    code_challenge_method: str
    form_post: bool


@dataclass(slots=True)
class Grant:
    code: str
    request: AuthorizationRequest
    user_id: int
    created_at: float
    revoked: bool = False


@dataclass(slots=True)
class AccessToken:
    """An access token and its refresh token: one record, revoked together."""

    token: str
    refresh_token: str
    application: Application
    user_id: int
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    previous: AccessToken | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client says about itself, by one method."""

    uid: str
    secret: str


class Doorkeeper:
    """The authorization server's state and rules."""

    def __init__(self, applications: Sequence[Application], clock: Callable[[], float]) -> None:
        self.applications = {application.uid: application for application in applications}
        self.clock = clock
        self._grants: dict[str, Grant] = {}
        self._by_token: dict[str, AccessToken] = {}
        self._by_refresh_token: dict[str, AccessToken] = {}

    def check_authorization(self, params: Mapping[str, str]) -> AuthorizationRequest:
        """Check the parameters of /oauth/authorize, in Doorkeeper's order.

        Raises:
            OAuthError: the first rule that is broken.
        """
        application = self._redirectable(params)
        if not params.get("response_type"):
            raise OAuthError.missing("response_type")
        if params["response_type"] != "code":
            raise OAuthError("unsupported_response_type")
        if params.get("response_mode", "") not in ("", "query", "form_post"):
            raise OAuthError("unsupported_response_mode")
        scopes = scope_list(params.get("scope", "")) or tuple(
            scope for scope in PUBLIC_PERMISSIONS if scope in application.scopes
        )
        if not scopes or not set(scopes) <= set(application.scopes):
            raise OAuthError("invalid_scope")
        challenge, method = (
            params.get("code_challenge", ""),
            params.get("code_challenge_method", ""),
        )
        if challenge and method not in CHALLENGE_METHODS:
            raise OAuthError("invalid_code_challenge_method")
        return AuthorizationRequest(
            application=application,
            redirect_uri=params["redirect_uri"],
            scopes=scopes,
            state=params.get("state", ""),
            code_challenge=challenge,
            code_challenge_method=method,
            form_post=params.get("response_mode") == "form_post",
        )

    def check_denial(self, params: Mapping[str, str]) -> str:
        """The redirect URI to send a denial to; only client and URI are checked."""
        self._redirectable(params)
        return params["redirect_uri"]

    def is_approved(self, request: AuthorizationRequest, user_id: int) -> bool:
        """Whether consent is skipped: a token for the same client, user and scopes is not revoked.

        An expired one counts too (Doorkeeper's ``matching_token_for``). Public clients are always
        asked.
        """
        return request.application.confidential and any(
            not token.revoked
            and token.user_id == user_id
            and token.application is request.application
            and set(token.scopes) == set(request.scopes)
            for token in self._by_token.values()
        )

    def grant(self, request: AuthorizationRequest, user_id: int) -> Grant:
        grant = Grant(secrets.token_urlsafe(32), request, user_id, self.clock())
        self._grants[grant.code] = grant
        return grant

    def exchange(
        self, params: Mapping[str, str], credentials: ClientCredentials | None
    ) -> AccessToken:
        """Answer a request to /oauth/token.

        Raises:
            OAuthError: as RFC 6749, section 5.2.
        """
        grant_type = params.get("grant_type")
        if not grant_type:
            raise OAuthError.missing("grant_type")
        if grant_type == "authorization_code":
            return self._exchange_code(params, credentials)
        if grant_type == "refresh_token":
            return self._refresh(params, credentials)
        raise OAuthError("unsupported_grant_type")

    def issue(
        self,
        application: Application,
        user_id: int,
        scopes: Sequence[str],
        previous: AccessToken | None = None,
    ) -> AccessToken:
        """Make a new pair, valid from now."""
        now = self.clock()
        token = AccessToken(
            token=secrets.token_urlsafe(32),
            refresh_token=secrets.token_urlsafe(32),
            application=application,
            user_id=user_id,
            scopes=tuple(scopes),
            created_at=now,
            expires_at=now + TOKEN_LIFETIME,
            previous=previous,
        )
        self._by_token[token.token] = token
        self._by_refresh_token[token.refresh_token] = token
        return token

    def authenticate(self, token: str) -> AccessToken | None:
        """Find a presented access token, usable or not.

        The first use of a refreshed token revokes the pair that it was made from.
        """
        found = self._by_token.get(token)
        if found is not None and found.previous is not None:
            found.previous.revoked = True
            found.previous = None
        return found

    def is_accessible(self, token: AccessToken) -> bool:
        return not token.revoked and self.clock() < token.expires_at

    def find(self, token: str) -> AccessToken | None:
        """Find a pair by either of its tokens, without using it."""
        return self._by_token.get(token) or self._by_refresh_token.get(token)

    def revoke(self, token: str, credentials: ClientCredentials | None) -> None:
        """Revoke the pair that a token belongs to (RFC 7009).

        Raises:
            OAuthError: ``unauthorized_client``; Doorkeeper wants a client even for unknown tokens.
        """
        client = self._client(credentials)
        found = self.find(token)
        if client is None or (found is not None and found.application is not client):
            raise OAuthError("unauthorized_client", "You are not authorized to revoke this token")
        if found is not None:
            found.revoked = True

    def _redirectable(self, params: Mapping[str, str]) -> Application:
        if not params.get("client_id"):
            raise OAuthError.missing("client_id")
        application = self.applications.get(params["client_id"])
        if application is None:
            raise OAuthError("invalid_client")
        if not matches_redirect_uri(params.get("redirect_uri", ""), application.redirect_uris):
            raise OAuthError("invalid_redirect_uri")
        return application

    def _client(self, credentials: ClientCredentials | None) -> Application | None:
        application = self.applications.get(credentials.uid) if credentials else None
        if application is None or credentials is None:
            return None
        if not credentials.secret and not application.confidential:
            return application
        right = secrets.compare_digest(credentials.secret.encode(), application.secret.encode())
        return application if right else None

    def _exchange_code(
        self, params: Mapping[str, str], credentials: ClientCredentials | None
    ) -> AccessToken:
        if not params.get("code"):
            raise OAuthError.missing("code")
        grant = self._grants.get(params["code"])
        verifier = params.get("code_verifier", "")
        if grant is not None and grant.request.code_challenge and not verifier:
            raise OAuthError.missing("code_verifier")
        if not params.get("redirect_uri"):
            raise OAuthError.missing("redirect_uri")
        client = self._client(credentials)
        if client is None:
            raise OAuthError("invalid_client")
        if (
            grant is None
            or grant.revoked
            or grant.request.application is not client
            or self.clock() >= grant.created_at + CODE_LIFETIME
            or not matches_redirect_uri(params["redirect_uri"], [grant.request.redirect_uri])
            or not _verifies(grant.request, verifier)
        ):
            raise OAuthError("invalid_grant")
        grant.revoked = True
        return self.issue(client, grant.user_id, grant.request.scopes)

    def _refresh(
        self, params: Mapping[str, str], credentials: ClientCredentials | None
    ) -> AccessToken:
        if not params.get("refresh_token"):
            raise OAuthError.missing("refresh_token")
        old = self._by_refresh_token.get(params["refresh_token"])
        if old is None or old.revoked:
            raise OAuthError("invalid_grant")
        client = self._client(credentials)
        if credentials is not None and client is None:
            raise OAuthError("invalid_client")
        if old.application is not client:
            raise OAuthError("invalid_grant")
        scopes = scope_list(params.get("scope", "")) or old.scopes
        if not set(scopes) <= set(old.scopes):
            raise OAuthError("invalid_scope")
        return self.issue(old.application, old.user_id, scopes, previous=old)


def scope_list(scope: str) -> tuple[str, ...]:
    """Split a scope parameter, each scope once, in the order given."""
    return tuple(dict.fromkeys(scope.split()))


def _verifies(request: AuthorizationRequest, verifier: str) -> bool:
    """Check PKCE (RFC 7636, section 4.6); a verifier that answers no challenge is refused."""
    if not verifier or not request.code_challenge:
        return not verifier and not request.code_challenge
    derive = CHALLENGE_METHODS[request.code_challenge_method]
    return secrets.compare_digest(derive(verifier).encode(), request.code_challenge.encode())
