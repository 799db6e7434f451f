"""Redmine's token endpoint: codes, PKCE, refresh, revocation, token/info."""

from __future__ import annotations

import pytest

from .answers import (
    CLIENT_ID,
    CLIENT_SECRET,
    INVALID_CLIENT,
    INVALID_GRANT,
    INVALID_SCOPE,
    MULTIPLE_METHODS,
    READ_SCOPES,
    UNSUPPORTED_GRANT,
    VERIFIER,
    assert_revoked,
    assert_token_error,
    bearer_error,
)
from .target import APPLICATIONS, REDIRECT_URI, Target, pkce


class TestTokenEndpoint:
    def test_code_becomes_a_pair(self, redmine: Target) -> None:
        """A code gives an access token for two hours, and always a refresh token."""
        reply = redmine.exchange(redmine.code("bob", READ_SCOPES))
        pair = reply.json()

        assert reply.status_code == 200
        assert list(pair) == [
            "access_token",
            "token_type",
            "expires_in",
            "refresh_token",
            "scope",
            "created_at",
        ]
        assert (
            pair["token_type"],
            pair["expires_in"],
            pair["scope"],
        ) == ("Bearer", 7200, READ_SCOPES)
        assert {43} == {len(pair["access_token"]), len(pair["refresh_token"])}
        assert "no-store" in reply.headers["Cache-Control"]

    def test_client_may_authenticate_in_the_body(self, redmine: Target) -> None:
        """client_secret_post is as good as client_secret_basic."""
        reply = redmine.token_request(
            None,
            grant_type="authorization_code",
            code=redmine.code("bob", READ_SCOPES),
            redirect_uri=REDIRECT_URI,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )

        assert reply.status_code == 200

    def test_code_works_once(self, redmine: Target) -> None:
        """A replayed code is refused; the pair it gave stays good."""
        code = redmine.code("bob", READ_SCOPES)
        pair = redmine.exchange(code).json()
        replay = redmine.exchange(code)

        assert_token_error(replay, 400, "invalid_grant", INVALID_GRANT)
        assert redmine.get("/my/account.json", pair["access_token"]).status_code == 200

    @pytest.mark.parametrize(
        ("method", "challenge"), [("S256", pkce(VERIFIER)), ("plain", VERIFIER)]
    )
    def test_pkce(self, redmine: Target, method: str, challenge: str) -> None:
        """A challenge has to be met; a wrong or missing verifier does not burn the code."""
        code = redmine.code(
            "bob", READ_SCOPES, code_challenge=challenge, code_challenge_method=method
        )
        missing = redmine.exchange(code)
        wrong = redmine.exchange(code, code_verifier=VERIFIER[::-1])
        right = redmine.exchange(code, code_verifier=VERIFIER)

        sentence = "Missing required parameter: code_verifier."
        assert_token_error(missing, 400, "invalid_request", sentence)
        assert_token_error(wrong, 400, "invalid_grant", INVALID_GRANT)
        assert right.status_code == 200

    def test_verifier_without_a_challenge_is_refused(self, redmine: Target) -> None:
        """A code that was asked for without PKCE takes no verifier."""
        reply = redmine.exchange(redmine.code("bob", READ_SCOPES), code_verifier=VERIFIER)

        assert_token_error(reply, 400, "invalid_grant", INVALID_GRANT)

    def test_code_is_bound_to_client_and_redirect_uri(self, redmine: Target) -> None:
        """Neither another client nor another redirect URI gets anything for a code."""
        grant = {"grant_type": "authorization_code", "code": redmine.code("bob", READ_SCOPES)}
        elsewhere = redmine.token_request(
            **grant, redirect_uri="http://localhost:8000/auth/callback"
        )
        other_client = redmine.token_request("MCP read-only", **grant, redirect_uri=REDIRECT_URI)
        no_uri = redmine.token_request(**grant)

        assert_token_error(elsewhere, 400, "invalid_grant", INVALID_GRANT)
        assert_token_error(other_client, 400, "invalid_grant", INVALID_GRANT)
        sentence = "Missing required parameter: redirect_uri."
        assert_token_error(no_uri, 400, "invalid_request", sentence)

    def test_client_has_to_authenticate(self, redmine: Target) -> None:
        """A wrong secret, an unknown client and no client at all are one answer."""
        grant = {
            "grant_type": "authorization_code",
            "code": redmine.code("bob", READ_SCOPES),
            "redirect_uri": REDIRECT_URI,
        }
        for credentials in (
            {"client_id": CLIENT_ID, "client_secret": "wrong"},
            {"client_id": "nobody", "client_secret": CLIENT_SECRET},
            {"client_id": CLIENT_ID},
            {},
        ):
            reply = redmine.token_request(None, **grant, **credentials)

            assert_token_error(reply, 401, "invalid_client", INVALID_CLIENT)

    def test_client_authenticates_in_one_way(self, redmine: Target) -> None:
        """Secrets in header and body at once are refused (RFC 6749, section 2.3)."""
        reply = redmine.refresh("any", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

        assert_token_error(reply, 400, "invalid_request", MULTIPLE_METHODS)

    @pytest.mark.parametrize("grant_type", ["password", "client_credentials", "fly"])
    def test_other_grants_are_not_offered(self, redmine: Target, grant_type: str) -> None:
        """Only codes and refresh tokens are exchanged."""
        reply = redmine.token_request(grant_type=grant_type, username="bob", password="x")

        assert_token_error(reply, 400, "unsupported_grant_type", UNSUPPORTED_GRANT)

    @pytest.mark.parametrize(
        ("params", "missing"),
        [
            ({}, "grant_type"),
            ({"grant_type": "authorization_code"}, "code"),
            ({"grant_type": "refresh_token"}, "refresh_token"),
        ],
    )
    def test_missing_parameters_are_named(
        self, redmine: Target, params: dict[str, str], missing: str
    ) -> None:
        """An incomplete request is told what it lacks."""
        reply = redmine.token_request(**params)

        sentence = f"Missing required parameter: {missing}."
        assert_token_error(reply, 400, "invalid_request", sentence)


class TestRefresh:
    def test_old_pair_lives_until_the_new_one_is_used(self, redmine: Target) -> None:
        """A lost answer is no loss: the first use of the new token revokes the old pair."""
        old = redmine.sign_in("bob", READ_SCOPES)
        lost = redmine.refresh(old["refresh_token"]).json()
        new = redmine.refresh(old["refresh_token"]).json()
        before = redmine.get("/my/account.json", old["access_token"])
        used = redmine.get("/my/account.json", new["access_token"])

        assert before.status_code == 200
        assert used.status_code == 200
        assert new["scope"] == READ_SCOPES
        assert_revoked(redmine.get("/my/account.json", old["access_token"]))
        reply = redmine.refresh(old["refresh_token"])
        assert_token_error(reply, 400, "invalid_grant", INVALID_GRANT)
        assert redmine.get("/my/account.json", lost["access_token"]).status_code == 200

    def test_token_info_counts_as_use(self, redmine: Target) -> None:
        """Asking about the new token revokes the old pair too."""
        old = redmine.sign_in("bob", READ_SCOPES)
        new = redmine.refresh(old["refresh_token"]).json()
        redmine.get("/oauth/token/info", new["access_token"])

        assert_revoked(redmine.get("/my/account.json", old["access_token"]))

    def test_scope_may_shrink_but_not_grow(self, redmine: Target) -> None:
        """A refresh may ask for less; for more it gets nothing, and the pair stays."""
        pair = redmine.sign_in("bob", "view_project view_issues")
        wider = redmine.refresh(pair["refresh_token"], scope="view_issues edit_issues")
        narrower = redmine.refresh(pair["refresh_token"], scope="view_issues")

        assert_token_error(wider, 400, "invalid_scope", INVALID_SCOPE)
        assert narrower.json()["scope"] == "view_issues"

    def test_refresh_token_is_bound_to_its_client(self, redmine: Target) -> None:
        """Another client, no client, a wrong secret or an unknown token: nothing."""
        params = {
            "grant_type": "refresh_token",
            "refresh_token": redmine.sign_in("bob", READ_SCOPES)["refresh_token"],
        }
        other = redmine.token_request("MCP read-only", **params)
        nobody = redmine.token_request(None, **params)
        wrong = redmine.token_request(None, **params, client_id=CLIENT_ID, client_secret="wrong")

        assert_token_error(other, 400, "invalid_grant", INVALID_GRANT)
        assert_token_error(nobody, 400, "invalid_grant", INVALID_GRANT)
        assert_token_error(wrong, 401, "invalid_client", INVALID_CLIENT)
        assert_token_error(redmine.refresh("unknown"), 400, "invalid_grant", INVALID_GRANT)


class TestRevocation:
    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    def test_either_token_takes_the_pair_along(self, redmine: Target, kind: str) -> None:
        """Revoking one token of a pair ends both."""
        pair = redmine.sign_in("bob", READ_SCOPES)
        reply = redmine.revoke(pair[kind])

        assert (reply.status_code, reply.json()) == (200, {})
        assert_revoked(redmine.get("/my/account.json", pair["access_token"]))
        refreshed = redmine.refresh(pair["refresh_token"])
        assert_token_error(refreshed, 400, "invalid_grant", INVALID_GRANT)

    def test_needs_the_client(self, redmine: Target) -> None:
        """Without its client nothing is revoked, not even an unknown token."""
        token = redmine.sign_in("bob", READ_SCOPES)["access_token"]
        refusal = {
            "error": "unauthorized_client",
            "error_description": "You are not authorized to revoke this token",
        }
        for presented, credentials in (
            (token, None),
            (token, (CLIENT_ID, "wrong")),
            (token, APPLICATIONS["MCP read-only"]),
            ("unknown", None),
        ):
            reply = redmine.revoke(presented, credentials)

            assert (403, refusal) == (reply.status_code, reply.json())
        assert redmine.get("/my/account.json", token).status_code == 200

    def test_unknown_token_is_fine(self, redmine: Target) -> None:
        """A client that revokes what does not exist hears no error (RFC 7009, section 2.2)."""
        reply = redmine.revoke("unknown")

        assert (reply.status_code, reply.json()) == (200, {})


class TestTokenInfo:
    def test_names_user_scopes_and_client(self, redmine: Target) -> None:
        """token/info says whose token it is, for which client, and how long it lasts."""
        pair = redmine.sign_in("bob", "view_project view_issues")
        reply = redmine.get("/oauth/token/info", pair["access_token"])
        info = reply.json()

        assert reply.status_code == 200
        assert 7100 < info.pop("expires_in") <= 7200
        assert {
            "resource_owner_id": 6,
            "scope": ["view_project", "view_issues"],
            "application": {"uid": CLIENT_ID},
            "created_at": pair["created_at"],
        } == info

    @pytest.mark.parametrize("token", ["unknown", None])
    def test_unknown_token_is_invalid(self, redmine: Target, token: str | None) -> None:
        """Unknown, missing and revoked tokens look alike here."""
        reply = redmine.get("/oauth/token/info", token)

        sentence = "The access token is invalid"
        assert reply.status_code == 401
        assert {
            "error": "invalid_token",
            "error_description": sentence,
            "state": "unauthorized",
        } == reply.json()
        assert bearer_error("invalid_token", sentence) == reply.headers["WWW-Authenticate"]
