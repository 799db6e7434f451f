"""What we rely on in Redmine 6.1: one contract, held by the sandbox and by a real Redmine.

    env $(tests/real_redmine/up.py) pytest tests/contract

The expected values are those of the seed, which both hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from .target import API_KEYS, APPLICATIONS, PASSWORDS, REDIRECT_URI, SEED, Target, pkce, query_of

CLIENT_ID, CLIENT_SECRET = APPLICATIONS["MCP server"]
READ_ONLY_ID, READ_ONLY_SECRET = APPLICATIONS["MCP read-only"]
READ_SCOPES = (
    "view_project search_project view_members view_issues view_private_notes"
    " view_issue_watchers view_time_entries"
)
DEFAULT_SCOPES = "view_project search_project view_members"
# Nobody ever gets a token for these, so that consent is always asked.
UNGRANTED = "view_project view_news"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0001"

INVALID_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection"
    " URI used in the authorization request, or was issued to another client."
)
INVALID_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or"
    " unsupported authentication method."
)
MULTIPLE_METHODS = "The request utilizes more than one mechanism for authenticating the client."
UNSUPPORTED_GRANT = "The authorization grant type is not supported by the authorization server."
INVALID_SCOPE = "The requested scope is invalid, unknown, or malformed."


def bearer_error(code: str, description: str) -> str:
    return f'Bearer realm="Redmine", error="{code}", error_description="{description}"'


def assert_token_error(reply: httpx.Response, status: int, code: str, description: str) -> None:
    """An error of /oauth/token says the same in its body and in its challenge."""
    assert {"error": code, "error_description": description} == reply.json()
    assert status == reply.status_code
    assert bearer_error(code, description) == reply.headers["WWW-Authenticate"]
    assert "no-store" in reply.headers["Cache-Control"]


def assert_revoked(reply: httpx.Response, reason: str = "was revoked") -> None:
    assert (reply.status_code, reply.text) == (401, "")
    challenge = bearer_error("invalid_token", f"The access token {reason}")
    assert challenge == reply.headers["WWW-Authenticate"]
    assert "text/html" in reply.headers["Content-Type"]


def assert_empty(reply: httpx.Response, status: int, challenge: str | None = None) -> None:
    """A refusal of the REST API has no body, and claims to be JSON."""
    assert (status, "") == (reply.status_code, reply.text)
    assert reply.headers["Content-Type"] == "application/json"
    assert challenge == reply.headers.get("WWW-Authenticate")


BASIC = 'Basic realm="Redmine API"'


@contextmanager
def locked(redmine: Target, login: str) -> Iterator[None]:
    redmine.lock(login)
    try:
        yield
    finally:
        redmine.lock(login, locked=False)


def issue(redmine: Target, login: str, number: int, include: str = "") -> dict[str, Any]:
    reply = redmine.as_user(login, f"/issues/{number}.json", include=include)
    shown: dict[str, Any] = reply.raise_for_status().json()["issue"]
    return shown


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in records]


class TestSignInPage:
    def test_authorize_asks_to_sign_in_first(self, redmine: Target) -> None:
        """Without a session the way leads over the login form and back to the same request."""
        browser = redmine.browser()
        asked = browser.ask(**redmine.authorization(UNGRANTED))
        login_url = asked.headers["Location"]
        back_url = query_of(login_url)["back_url"]
        signed_in = browser.sign_in("carol", back_url=back_url)
        page = browser.http.get(signed_in.headers["Location"])

        assert asked.status_code == 302
        assert login_url.startswith(f"{redmine.base_url}/login?back_url=")
        assert str(asked.request.url) == back_url
        assert back_url == signed_in.headers["Location"]
        assert page.status_code == 200
        assert "MCP server" in page.text

    def test_wrong_password_shows_the_form_again(self, redmine: Target) -> None:
        """A wrong password signs nobody in, and is no error for HTTP."""
        browser = redmine.browser()
        reply = browser.sign_in("carol", password="wrong")
        asked = browser.ask(**redmine.authorization(UNGRANTED))

        assert reply.status_code == 200
        assert "Invalid user or password" in reply.text
        assert "/login" in asked.headers["Location"]

    def test_login_form_is_protected(self, redmine: Target) -> None:
        """A login without the form's token is refused."""
        credentials = {"username": "carol", "password": PASSWORDS["carol"]}
        reply = redmine.browser().http.post("/login", data=credentials)

        assert reply.status_code == 422

    def test_login_leads_to_no_other_host(self, redmine: Target) -> None:
        """A back_url on another host is dropped."""
        for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example/"):
            reply = redmine.browser().sign_in("carol", back_url=elsewhere)

            assert f"{redmine.base_url}/my/page" == reply.headers["Location"], elsewhere


class TestConsent:
    def test_approval_redirects_with_code_and_state(self, redmine: Target) -> None:
        """Authorize leads back to the client with a code and its state, and nothing else."""
        browser = redmine.browser("carol")
        page = browser.ask(**redmine.authorization(UNGRANTED))
        reply = browser.answer(page)
        target, _, _ = reply.headers["Location"].partition("?")
        answer = query_of(reply.headers["Location"])

        assert reply.status_code == 302
        assert target == REDIRECT_URI
        assert {"code", "state"} == set(answer)
        assert answer["state"] == "a state"

    def test_denial_redirects_with_access_denied(self, redmine: Target) -> None:
        """Deny is the only refusal that the client hears about."""
        browser = redmine.browser("carol")
        reply = browser.answer(browser.ask(**redmine.authorization(UNGRANTED)), deny=True)

        assert reply.status_code == 302
        assert query_of(reply.headers["Location"]) == {
            "error": "access_denied",
            "error_description": "The resource owner or authorization server denied the request.",
            "state": "a state",
        }

    def test_form_is_protected(self, redmine: Target) -> None:
        """An approval without the page's token is refused, and ends the session."""
        browser = redmine.browser("carol")
        wish = redmine.authorization(UNGRANTED)
        reply = browser.http.post("/oauth/authorize", data=wish)

        assert reply.status_code == 422
        assert "/login" in browser.ask(**wish).headers["Location"]

    def test_is_skipped_while_a_token_of_the_same_scopes_lives(self, redmine: Target) -> None:
        """Redmine approves silently while such a token lives, whatever the order of scopes."""
        scope = "view_project view_files"
        pair = redmine.sign_in("carol", scope)
        browser = redmine.browser("carol")
        same = browser.ask(**redmine.authorization("view_files view_project"))
        fewer = browser.ask(**redmine.authorization("view_files"))
        other_client = browser.ask(**redmine.authorization(scope, application="MCP read-only"))
        redmine.http.post(
            "/oauth/revoke", data={"token": pair["access_token"]}, auth=(CLIENT_ID, CLIENT_SECRET)
        )
        after_revocation = browser.ask(**redmine.authorization(scope))

        assert same.status_code == 302
        assert "code" in query_of(same.headers["Location"])
        assert fewer.status_code == 200
        assert other_client.status_code == 200
        assert after_revocation.status_code == 200

    def test_omitted_scope_means_the_public_ones(self, redmine: Target) -> None:
        """Who asks for no scope gets the three public ones, and none for issues."""
        pair = redmine.sign_in("carol", "")

        assert pair["scope"] == DEFAULT_SCOPES

    def test_unknown_parameters_are_ignored(self, redmine: Target) -> None:
        """``prompt``, ``resource`` and the like change nothing."""
        wish = redmine.authorization(UNGRANTED, prompt="none", resource="https://mcp.example/")

        assert redmine.browser("carol").ask(**wish).status_code == 200


DEAD_ENDS: dict[str, tuple[dict[str, str], int, str]] = {
    "scope unknown": ({"scope": "fly"}, 400, INVALID_SCOPE),
    "scope beyond the application": ({"scope": "admin"}, 400, INVALID_SCOPE),
    "response type unknown": (
        {"response_type": "token"},
        400,
        "The authorization server does not support this response type.",
    ),
    "response type missing": (
        {"response_type": ""},
        400,
        "Missing required parameter: response_type.",
    ),
    "response mode unknown": (
        {"response_mode": "fly"},
        400,
        "The authorization server does not support this response mode.",
    ),
    "client unknown": ({"client_id": "nobody"}, 401, INVALID_CLIENT),
    "client missing": ({"client_id": ""}, 400, "Missing required parameter: client_id."),
    "redirect URI unknown": (
        {"redirect_uri": "https://evil.example/"},
        400,
        "The requested redirect URI is malformed",
    ),
    "redirect URI missing": (
        {"redirect_uri": ""},
        400,
        "The requested redirect URI is malformed",
    ),
    "port of localhost": (
        {"redirect_uri": "http://localhost:8001/auth/callback"},
        400,
        "The requested redirect URI is malformed",
    ),
    "challenge without a method": (
        {"code_challenge": "abc"},
        400,
        "The code_challenge_method must be one of plain, S256.",
    ),
}


class TestDeadEnds:
    @pytest.mark.parametrize("case", DEAD_ENDS)
    def test_bad_request_ends_on_redmines_own_page(self, redmine: Target, case: str) -> None:
        """Whatever is wrong with a request is shown by Redmine; the client never hears of it."""
        wrong, status, sentence = DEAD_ENDS[case]
        reply = redmine.browser("carol").ask(**{**redmine.authorization(UNGRANTED), **wrong})

        assert status == reply.status_code
        assert "text/html" in reply.headers["Content-Type"]
        assert sentence in reply.text

    @pytest.mark.parametrize(
        "uri", ["http://127.0.0.1:51234/auth/callback", f"{REDIRECT_URI}?more=1"]
    )
    def test_loopback_address_may_have_any_port(self, redmine: Target, uri: str) -> None:
        """The port of 127.0.0.1 does not matter (RFC 8252, section 7.3), nor does a query."""
        wish = redmine.authorization(UNGRANTED) | {"redirect_uri": uri}
        browser = redmine.browser("carol")
        reply = browser.answer(browser.ask(**wish))

        assert reply.headers["Location"].startswith(uri)

    @pytest.mark.parametrize(
        "path",
        [
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-protected-resource",
            "/.well-known/openid-configuration",
            "/oauth/introspect",
            "/oauth/register",
            "/oauth/userinfo",
            "/nothing.json",
        ],
    )
    def test_there_is_no_discovery(self, redmine: Target, path: str) -> None:
        """Redmine has no metadata, no introspection, no registration."""
        reply = redmine.get(path)

        assert reply.status_code == 404
        assert "text/html" in reply.headers["Content-Type"]


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
        auth = (CLIENT_ID, CLIENT_SECRET)
        reply = redmine.http.post("/oauth/revoke", data={"token": pair[kind]}, auth=auth)

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
        for presented, auth in (
            (token, None),
            (token, httpx.BasicAuth(CLIENT_ID, "wrong")),
            (token, httpx.BasicAuth(READ_ONLY_ID, READ_ONLY_SECRET)),
            ("unknown", None),
        ):
            reply = redmine.http.post("/oauth/revoke", data={"token": presented}, auth=auth)

            assert (403, refusal) == (reply.status_code, reply.json())
        assert redmine.get("/my/account.json", token).status_code == 200

    def test_unknown_token_is_fine(self, redmine: Target) -> None:
        """A client that revokes what does not exist hears no error (RFC 7009, section 2.2)."""
        auth = (CLIENT_ID, CLIENT_SECRET)
        reply = redmine.http.post("/oauth/revoke", data={"token": "unknown"}, auth=auth)

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


class TestWhoCalls:
    def test_unknown_token_is_anonymous(self, redmine: Target) -> None:
        """A token that Redmine does not know is NOT refused: the caller is nobody in particular."""
        public = redmine.get("/issues/1.json", "unknown")

        assert public.status_code == 200
        assert_empty(redmine.get("/my/account.json", "unknown"), 401, BASIC)
        assert_empty(redmine.get("/issues/43.json", "unknown"), 401, BASIC)

    def test_unknown_api_key_is_anonymous(self, redmine: Target) -> None:
        """The same goes for an API key."""
        headers = {"X-Redmine-API-Key": "0" * 40}

        assert redmine.http.get("/issues/1.json", headers=headers).status_code == 200
        assert_empty(redmine.http.get("/my/account.json", headers=headers), 401, BASIC)

    def test_token_in_two_places_is_none(self, redmine: Target) -> None:
        """A token in header and query at once is ignored; in the query alone it counts."""
        token = redmine.sign_in("bob", READ_SCOPES)["access_token"]
        twice = redmine.get("/my/account.json", token, access_token=token)
        in_query = redmine.get("/my/account.json", access_token=token)

        assert_empty(twice, 401, BASIC)
        assert in_query.status_code == 200

    def test_api_key_wins_over_token(self, redmine: Target) -> None:
        """With both, the API key says who calls."""
        token = redmine.sign_in("bob", READ_SCOPES)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "X-Redmine-API-Key": API_KEYS["carol"]}
        reply = redmine.http.get("/my/account.json", headers=headers)

        assert reply.json()["user"]["login"] == "carol"

    def test_live_token_of_a_locked_user_is_a_server_error(self, redmine: Target) -> None:
        """Redmine 6.1 answers 500, while token/info still calls the token good."""
        token = redmine.sign_in("dave", READ_SCOPES)["access_token"]
        with locked(redmine, "dave"):
            reply = redmine.get("/my/account.json", token)
            info = redmine.get("/oauth/token/info", token)
            by_key = redmine.as_user("dave", "/my/account.json")
            sign_in = redmine.browser().sign_in("dave")
        unlocked = redmine.get("/my/account.json", token)

        error = {"status": 500, "error": "Internal Server Error"}
        assert (500, error) == (reply.status_code, reply.json())
        assert info.status_code == 200
        assert_empty(by_key, 401, BASIC)
        assert (302, f"{redmine.base_url}/login") == (
            sign_in.status_code,
            sign_in.headers["Location"],
        )
        assert unlocked.status_code == 200

    def test_account_shows_no_api_key_to_oauth(self, redmine: Target) -> None:
        """A token reads the account without its API key; the key itself reads it."""
        by_token = redmine.with_scopes("alice", READ_SCOPES, "/my/account.json").json()["user"]
        by_key = redmine.as_user("alice", "/my/account.json").json()["user"]
        del by_token["last_login_on"], by_key["last_login_on"]

        assert by_token == {
            "id": 5,
            "login": "alice",
            "admin": False,
            "firstname": "Alice",
            "lastname": "Ace",
            "mail": "alice@example.net",
            "created_on": "2026-01-01T08:00:00Z",
        }
        assert {**by_token, "api_key": API_KEYS["alice"]} == by_key

    def test_current_user(self, redmine: Target) -> None:
        """/users/current hides mail and key from a token, and shows memberships."""
        path = "/users/current.json"
        user = redmine.with_scopes("bob", READ_SCOPES, path, include="memberships").json()["user"]
        del user["last_login_on"]

        reporter = {"id": 5, "name": "Reporter", "inherited": True}
        developer = {"id": 4, "name": "Developer"}
        assert {
            "id": 6,
            "login": "bob",
            "admin": False,
            "firstname": "Bob",
            "lastname": "Builder",
            "created_on": "2026-01-01T08:00:00Z",
            "updated_on": "2026-01-01T08:00:00Z",
            "passwd_changed_on": "2026-01-01T08:00:00Z",
            "twofa_scheme": None,
            "memberships": [
                {"id": 2, "project": {"id": 1, "name": "Alpha"}, "roles": [developer]},
                {"id": 6, "project": {"id": 2, "name": "Beta"}, "roles": [reporter]},
                {"id": 9, "project": {"id": 3, "name": "Gamma (private)"}, "roles": [developer]},
            ],
        } == user

    def test_admin_needs_the_scope(self, redmine: Target) -> None:
        """An administrator's token without the scope ``admin`` is an ordinary user's."""
        account = redmine.with_scopes("admin", READ_SCOPES, "/my/account.json").json()["user"]

        assert account["admin"] is False
        assert_empty(redmine.with_scopes("admin", READ_SCOPES, "/issues/43.json"), 403)
        assert redmine.as_user("admin", "/issues/43.json").status_code == 200


class TestIssue:
    def test_fields(self, redmine: Target) -> None:
        """An issue's own fields, as its project's manager reads them."""
        shown = issue(redmine, "alice", 1)

        assert {
            "id": 1,
            "project": {"id": 1, "name": "Alpha"},
            "tracker": {"id": 2, "name": "Feature"},
            "status": {"id": 2, "name": "In Progress", "is_closed": False},
            "priority": {"id": 4, "name": "Urgent"},
            "author": {"id": 6, "name": "Bob Builder"},
            "assigned_to": {"id": 5, "name": "Alice Ace"},
            "category": {"id": 1, "name": "UI"},
            "fixed_version": {"id": 2, "name": "1.1"},
            "subject": "Rework the login page",
            "description": SEED["issues"][0]["description"],
            "start_date": "2026-01-06",
            "due_date": "2026-02-10",
            "done_ratio": 48,
            "is_private": False,
            "estimated_hours": 1.5,
            "total_estimated_hours": 15.5,
            "spent_hours": 1.75,
            "total_spent_hours": 8.0,
            "custom_fields": [
                {"id": 1, "name": "Customer", "value": "Acme"},
                {"id": 2, "name": "Severity", "value": "high"},
                {"id": 3, "name": "Platforms", "multiple": True, "value": ["linux", "macos"]},
                {"id": 4, "name": "Effort", "value": "8"},
                {"id": 5, "name": "Ratio", "value": "0.75"},
                {"id": 6, "name": "Deploy date", "value": "2026-06-30"},
                {"id": 7, "name": "Billable", "value": "1"},
                {"id": 8, "name": "Reviewer", "value": "6"},
                {
                    "id": 9,
                    "name": "Release note",
                    "value": "The login page was reworked.\nIt is fast now.",
                },
            ],
            "created_on": "2026-01-05T09:01:00Z",
            "updated_on": "2026-02-01T13:10:00Z",
            "closed_on": None,
        } == shown

    def test_children_are_the_visible_ones(self, redmine: Target) -> None:
        """Subtasks come as a tree; a private one only to those who may see it."""
        children = issue(redmine, "alice", 1, "children")["children"]

        support, bug = {"id": 3, "name": "Support"}, {"id": 1, "name": "Bug"}
        why = {"id": 4, "tracker": bug, "subject": "Show why a login failed"}
        assert [
            {"id": 2, "tracker": support, "subject": "Measure how slow the login page is"},
            {
                "id": 3,
                "tracker": {"id": 2, "name": "Feature"},
                "subject": "New form for the login page",
                "children": [why],
            },
            {"id": 5, "tracker": support, "subject": "Ask security about the login form"},
        ] == children
        assert ids(issue(redmine, "carol", 1, "children")["children"]) == [2, 3]
        assert "children" not in issue(redmine, "alice", 2, "children")

    def test_attachments(self, redmine: Target) -> None:
        """An attachment links to its download; the name is percent-encoded there."""
        attachments = issue(redmine, "carol", 1, "attachments")["attachments"]

        assert ids(attachments) == [1, 2, 3]
        assert {
            "id": 3,
            "filename": "Entwurf für Müller.md",
            "filesize": 36,
            "content_type": "text/markdown",
            "description": None,
            "content_url": f"{redmine.base_url}/attachments/download/3/"
            "Entwurf%20f%C3%BCr%20M%C3%BCller.md",
            "author": {"id": 5, "name": "Alice Ace"},
            "created_on": "2026-01-11T12:03:00Z",
        } == attachments[2]

    def test_relations_lead_to_visible_issues_only(self, redmine: Target) -> None:
        """A relation to an issue of a private project is not shown to outsiders."""
        blocks = {
            "id": 2,
            "issue_id": 12,
            "issue_to_id": 1,
            "relation_type": "blocks",
            "delay": None,
        }

        assert ids(issue(redmine, "alice", 1, "relations")["relations"]) == [1, 3, 4, 2]
        relations = issue(redmine, "carol", 1, "relations")["relations"]
        assert ids(relations) == [1, 4, 2]
        assert blocks == relations[-1]
        assert "relations" not in issue(redmine, "carol", 9, "relations")

    def test_journals_hide_private_notes(self, redmine: Target) -> None:
        """Private notes are for those with the permission, and for whoever wrote them."""
        shown = {
            login: issue(redmine, login, 1, "journals")["journals"]
            for login in ("alice", "bob", "carol", "dave")
        }

        everything = list(range(1, 33))
        assert everything == ids(shown["alice"]) == ids(shown["bob"])
        # 9 to 11 are private notes, 11 is carol's own; 14 mentions nothing but issue 43.
        assert [n for n in everything if n not in (9, 10, 14)] == ids(shown["carol"])
        assert [n for n in everything if n not in (9, 10, 11, 14)] == ids(shown["dave"])
        assert shown["carol"][5] == {
            "id": 6,
            "user": {"id": 5, "name": "Alice Ace"},
            "notes": "Thank you. Let us start with the form.",
            "created_on": "2026-02-01T08:50:00Z",
            "updated_on": "2026-02-01T08:50:00Z",
            "private_notes": False,
            "details": [
                {"property": "attr", "name": "status_id", "old_value": "1", "new_value": "2"},
                {"property": "attr", "name": "assigned_to_id", "old_value": None, "new_value": "5"},
            ],
        }

    def test_watchers_need_a_permission(self, redmine: Target) -> None:
        """Only a manager sees who watches; others miss the key altogether."""
        assert ids(issue(redmine, "alice", 1, "watchers")["watchers"]) == [5, 6, 7]
        assert "watchers" not in issue(redmine, "bob", 1, "watchers")

    @pytest.mark.parametrize(
        ("login", "number", "allowed"),
        [
            ("alice", 1, [1, 2, 3, 4]),
            ("bob", 1, [2, 3, 4]),
            ("carol", 1, []),
            ("alice", 10, [1, 2, 3, 4, 5, 6]),
            ("bob", 10, []),
            ("bob", 6, [1, 2, 3, 4, 5]),
            ("carol", 6, [1, 5]),
            ("dave", 6, []),
        ],
    )
    def test_allowed_statuses(
        self, redmine: Target, login: str, number: int, allowed: list[int]
    ) -> None:
        """The workflow's transitions; an issue with open subtasks or blockers cannot be closed."""
        shown = issue(redmine, login, number, "allowed_statuses")

        assert allowed == ids(shown["allowed_statuses"])

    def test_text_is_handed_on_as_written(self, redmine: Target) -> None:
        """Invisible characters and markup in a description arrive unchanged."""
        description = issue(redmine, "carol", 18)["description"]

        assert description == SEED["issues"][17]["description"]
        assert {"\u200b", "\u202e", "\U000e0068"} <= set(description)

    def test_refusals(self, redmine: Target) -> None:
        """Hidden from a known user: 403; from somebody unknown: 401; not there: 404."""
        for number in (7, 43):
            assert_empty(redmine.as_user("carol", f"/issues/{number}.json"), 403)
            assert_empty(redmine.get(f"/issues/{number}.json"), 401, BASIC)
        assert_empty(redmine.as_user("carol", "/issues/99999.json"), 404)
        assert_empty(redmine.get("/issues/99999.json"), 404)


class TestIssueList:
    def test_is_paged(self, redmine: Target) -> None:
        """25 open issues at a time, the newest first, with the total of those one may see."""
        first = redmine.as_user("alice", "/issues.json").json()
        second = redmine.as_user("alice", "/issues.json", offset=25).json()

        assert (first["total_count"], first["offset"], first["limit"]) == (41, 0, 25)
        assert ids(first["issues"])[:3] == [47, 46, 45]
        assert (len(first["issues"]), len(second["issues"])) == (25, 16)
        assert not set(ids(first["issues"])) & set(ids(second["issues"]))

    @pytest.mark.parametrize(
        ("asked", "offset", "limit"),
        [
            ({"limit": 0}, 0, 25),
            ({"limit": 101}, 0, 100),
            ({"limit": 10, "page": 3}, 20, 10),
            ({"limit": 10, "offset": -5}, 0, 10),
        ],
    )
    def test_window(self, redmine: Target, asked: dict[str, int], offset: int, limit: int) -> None:
        """A page has 1 to 100 records; nonsense is put right silently."""
        page = redmine.as_user("carol", "/issues.json", **asked).json()

        assert (offset, limit) == (page["offset"], page["limit"])

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"subject": "~login"}, [47, 43, 36, 30, 5, 4, 3, 2, 1]),
            ({"subject": "~login page", "sort": "id"}, [1, 2, 3]),
            ({"status_id": "5"}, [39, 32, 25, 10]),
            ({"status_id": "closed"}, [48, 39, 32, 25, 20, 10]),
            ({"status_id": "99"}, []),
            ({"issue_id": "10,1", "status_id": "*"}, [10, 1]),
            ({"assigned_to_id": "me", "tracker_id": "2"}, [21, 1]),
            ({"priority_id": "5", "project_id": "alpha"}, [35, 7]),
            ({"project_id": "gamma", "sort": "priority:desc,id"}, [45, 43, 47, 44, 46]),
            ({"project_id": "beta", "sort": "priority:desc,id"}, [35, 40, 38, 42, 36, 37, 41]),
            ({"unknown": "1", "issue_id": "3"}, [3]),
        ],
    )
    def test_filters_and_order(
        self, redmine: Target, asked: dict[str, str], found: list[int]
    ) -> None:
        """Filters narrow the list; an unknown status finds nothing, an unknown filter is ignored."""
        page = redmine.as_user("alice", "/issues.json", **asked).json()

        expected = [n for n in found if n != 42] if "project_id" in asked else found
        assert expected == ids(page["issues"])

    def test_project_includes_its_subprojects(self, redmine: Target) -> None:
        """A project's list holds its subprojects' issues, unless they are excluded."""
        with_beta = redmine.as_user("carol", "/issues.json", project_id="alpha").json()
        alone = {"project_id": "alpha", "subproject_id": "!*"}
        without = redmine.as_user("carol", "/issues.json", **alone).json()

        assert (with_beta["total_count"], without["total_count"]) == (34, 28)

    def test_malformed_filter_is_refused(self, redmine: Target) -> None:
        """A malformed value is an error with a sentence, not an empty list."""
        reply = redmine.as_user("carol", "/issues.json", created_on="yesterday", status_id="")

        errors = {"errors": ["Status cannot be blank", "Created is invalid"]}
        assert (422, errors) == (reply.status_code, reply.json())

    def test_unknown_and_private_projects(self, redmine: Target) -> None:
        """A private project is 403, an unknown one 404; somebody unknown is asked to sign in."""
        for project in ("gamma", "3"):
            assert_empty(redmine.as_user("carol", "/issues.json", project_id=project), 403)
        assert_empty(redmine.as_user("carol", "/issues.json", project_id="nope"), 404)
        for project in ("gamma", "nope"):
            assert_empty(redmine.get("/issues.json", project_id=project), 401, BASIC)


class TestSearch:
    def test_finds_what_the_user_may_see(self, redmine: Target) -> None:
        """A search covers subjects, descriptions and notes, of visible issues alone."""
        found = {
            login: redmine.as_user(login, "/search.json", q="login").json()
            for login in ("alice", "carol")
        }

        assert ids(found["alice"]["results"]) == [47, 43, 36, 30, 21, 12, 5, 4, 3, 2, 1]
        assert ids(found["carol"]["results"]) == [36, 30, 21, 12, 4, 3, 2, 1]
        assert tuple(
            found["carol"][key] for key in ("total_count", "offset", "limit")
        ) == (8, 0, 25)
        assert {
            "id": 36,
            "title": "Feature #36 (New): Login by fingerprint",
            "type": "issue",
            "url": f"{redmine.base_url}/issues/36",
            "description": "Where the phone can.",
            "datetime": "2026-02-09T09:36:00Z",
        } == found["carol"]["results"][0]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"q": "login page"}, [3, 2, 1]),
            ({"q": "login fingerprint", "all_words": ""}, [36, 30, 21, 12, 4, 3, 2, 1]),
            ({"q": "login", "titles_only": "1"}, [36, 30, 4, 3, 2, 1]),
            ({"q": "Sunday"}, [32]),
            ({"q": "Sunday", "open_issues": "1"}, []),
            ({"q": "vendor"}, []),
            ({"q": "timings", "attachments": "1"}, [1]),
            ({"q": "portal", "issues": "1"}, [21]),
            ({"q": "portal", "projects": "1"}, [2, 1]),
            ({"q": "login", "limit": "2", "offset": "3"}, [12, 4]),
        ],
    )
    def test_options(self, redmine: Target, asked: dict[str, str], found: list[int]) -> None:
        """The options narrow or widen a search, as carol sees it."""
        page = redmine.as_user("carol", "/search.json", **asked).json()

        assert found == ids(page["results"])

    def test_closed_issue_is_marked(self, redmine: Target) -> None:
        """The type says whether an issue is closed; there is no other sign."""
        results = redmine.as_user("carol", "/search.json", q="Wellcome").json()["results"]

        assert [
            (result["type"], result["title"]) for result in results
        ] == [("issue-closed", "Bug #10 (Closed): Typo on the start page")]

    def test_nothing_to_look_for(self, redmine: Target) -> None:
        """Without a word of two letters there is no result, and no count."""
        for question in ("", "x"):
            page = redmine.as_user("carol", "/search.json", q=question).json()

            assert page == {"results": [], "total_count": None, "offset": 0, "limit": 25}

    def test_inside_a_project(self, redmine: Target) -> None:
        """A project's search stays inside it; a private project refuses outsiders."""
        path = "/projects/{}/search.json"

        beta = redmine.as_user("carol", path.format("beta"), q="login").json()
        assert ids(beta["results"]) == [36]
        assert_empty(redmine.as_user("carol", path.format("gamma"), q="login"), 403)
        assert_empty(redmine.get(path.format("gamma"), q="login"), 401, BASIC)
        assert_empty(redmine.as_user("carol", path.format("nope"), q="login"), 404)


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "path", "status"),
        [
            ("view_issues", "/issues/1.json", 200),
            ("view_issues", "/issues.json", 200),
            ("view_issues", "/projects/alpha.json", 403),
            ("view_issues", "/search.json?q=login", 403),
            ("view_project", "/projects/alpha.json", 200),
            ("view_project", "/issues.json", 403),
            ("view_project", "/issues/1.json", 403),
            ("view_project", "/projects.json", 200),
            ("view_project", "/trackers.json", 200),
            ("view_project", "/my/account.json", 200),
            ("search_project", "/search.json?q=login", 200),
        ],
    )
    def test_limit_a_token(self, redmine: Target, scope: str, path: str, status: int) -> None:
        """A call needs the role's permission and the token's scope; a refusal names neither."""
        path, _, question = path.partition("?q=")
        params = {"q": question} if question else {}
        reply = redmine.with_scopes("bob", scope, path, **params)

        assert status == reply.status_code
        if status == 403:
            assert_empty(reply, 403)

    def test_are_no_fence_for_search(self, redmine: Target) -> None:
        """A search finds issues, private project and all, that the token cannot open."""
        page = redmine.with_scopes("bob", "search_project", "/search.json", q="passkeys").json()

        assert ids(page["results"]) == [43]
        assert_empty(redmine.with_scopes("bob", "search_project", "/issues/43.json"), 403)

    def test_leave_out_parts_of_an_issue(self, redmine: Target) -> None:
        """Without their scopes private notes, watchers and hours are missing, without a word."""
        path, include = "/issues/1.json", "journals,watchers"
        part = redmine.with_scopes("alice", "view_issues", path, include=include).json()["issue"]
        whole = redmine.with_scopes("alice", READ_SCOPES, path, include=include).json()["issue"]

        assert {"watchers", "spent_hours", "total_spent_hours"} == set(whole) - set(part)
        assert {9, 11} == set(ids(whole["journals"])) - set(ids(part["journals"]))


class TestProjects:
    def test_list_holds_what_the_user_may_see(self, redmine: Target) -> None:
        """A private project is listed for its members only."""
        page = redmine.as_user("alice", "/projects.json").json()

        assert ids(page["projects"]) == [1, 2, 3]
        assert page["projects"][1] == {
            "id": 2,
            "name": "Beta",
            "identifier": "beta",
            "description": "The mobile app of the customer portal.",
            "homepage": "http://beta.example.net",
            "parent": {"id": 1, "name": "Alpha"},
            "status": 1,
            "is_public": True,
            "inherit_members": False,
            "created_on": "2026-01-01T08:02:00Z",
            "updated_on": "2026-01-01T08:02:00Z",
        }
        assert (page["total_count"], page["offset"], page["limit"]) == (3, 0, 25)
        assert ids(redmine.as_user("carol", "/projects.json").json()["projects"]) == [1, 2]

    def test_by_id_or_identifier(self, redmine: Target) -> None:
        """Both names lead to one project, with what was asked to be included."""
        include = "trackers,issue_categories,time_entry_activities,enabled_modules"
        by_id = redmine.as_user("carol", "/projects/1.json", include=include).json()
        by_name = redmine.as_user("carol", "/projects/alpha.json", include=include).json()
        project = by_name["project"]

        assert by_id == by_name
        assert ids(project["trackers"]) == [1, 2, 3]
        assert [one["name"] for one in project["issue_categories"]] == ["API", "Docs", "UI"]
        assert ids(project["time_entry_activities"]) == [8, 9]
        assert project["enabled_modules"][0] == {"id": 1, "name": "issue_tracking"}

    def test_refusals(self, redmine: Target) -> None:
        """Private: 403, or 401 for somebody unknown; not there: 404."""
        assert_empty(redmine.as_user("carol", "/projects/gamma.json"), 403)
        assert_empty(redmine.get("/projects/gamma.json"), 401, BASIC)
        assert_empty(redmine.as_user("carol", "/projects/nope.json"), 404)


class TestReferenceData:
    def test_lists(self, redmine: Target) -> None:
        """Trackers, statuses and enumerations are open to everybody."""
        statuses = redmine.get("/issue_statuses.json").json()["issue_statuses"]
        trackers = redmine.get("/trackers.json").json()["trackers"]
        priorities = redmine.get("/enumerations/issue_priorities.json").json()
        activities = redmine.get("/enumerations/time_entry_activities.json").json()

        assert [
            (one["id"], one["name"]) for one in statuses if one["is_closed"]
        ] == [(5, "Closed"), (6, "Rejected")]
        assert [one["name"] for one in trackers] == ["Bug", "Feature", "Support"]
        assert priorities[
            "issue_priorities"
        ][1] == {"id": 2, "name": "Normal", "is_default": True, "active": True}
        assert [
            one["name"] for one in activities["time_entry_activities"]
        ] == ["Design", "Development"]
