"""OAuth errors with Doorkeeper's own sentences, which clients show to people."""

from __future__ import annotations

DESCRIPTIONS = {
    "invalid_client": (
        "Client authentication failed due to unknown client, no client authentication included,"
        " or unsupported authentication method."
    ),
    "invalid_code_challenge_method": "The code_challenge_method must be one of plain, S256.",
    "invalid_grant": (
        "The provided authorization grant is invalid, expired, revoked, does not match the"
        " redirection URI used in the authorization request, or was issued to another client."
    ),
    "invalid_redirect_uri": (
        "The requested redirect URI is malformed or doesn't match the client redirect URI."
    ),
    "invalid_scope": "The requested scope is invalid, unknown, or malformed.",
    "access_denied": "The resource owner or authorization server denied the request.",
    "unsupported_grant_type": (
        "The authorization grant type is not supported by the authorization server."
    ),
    "unsupported_response_mode": "The authorization server does not support this response mode.",
    "unsupported_response_type": "The authorization server does not support this response type.",
}


class OAuthError(Exception):
    """A refusal with an error code of RFC 6749 (or one that Doorkeeper adds)."""

    def __init__(self, code: str, description: str = "") -> None:
        self.code = code
        self.description = description or DESCRIPTIONS[code]
        super().__init__(self.description)

    @classmethod
    def missing(cls, parameter: str) -> OAuthError:
        return cls("invalid_request", f"Missing required parameter: {parameter}.")

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return 401 if self.code == "invalid_client" else 400

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description}

    @property
    def challenge(self) -> str:
        """The value of ``WWW-Authenticate``, which Doorkeeper sends with every error."""
        return bearer_challenge(self.code, self.description)


def bearer_challenge(code: str, description: str) -> str:
    return f'Bearer realm="Redmine", error="{code}", error_description="{description}"'
