"""Signing in at Redmine: login form, consent, and the requests that end on Redmine's own page."""

from __future__ import annotations

import pytest

from .answers import DEFAULT_SCOPES, INVALID_CLIENT, INVALID_SCOPE, UNGRANTED
from .target import PASSWORDS, REDIRECT_URI, Target, query_of


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
        for elsewhere in ("https://evil.example/", "//evil.example/"):
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
        redmine.revoke(pair["access_token"])
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
