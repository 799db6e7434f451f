"""A device authorization endpoint (RFC 8628) before the server that is not ours."""

from __future__ import annotations

import secrets
import time
from urllib.parse import parse_qs

from mcp.server.auth.provider import AccessToken
from starlette.responses import JSONResponse, Response

from redmine_mcp_core.connect.grants import DEVICE_GRANT
from tests.connect.theirs import Seen, Theirs


class Devices:
    """Hands out codes, and a token for one once ``answers`` has nothing else to say."""

    def __init__(self, theirs: Theirs, *answers: str) -> None:
        self._auth = theirs.auth
        self._answers = list(answers)
        self._base = theirs.url.removesuffix("/mcp")
        self._code = secrets.token_hex(8)
        self.asked: list[dict[str, str]] = []
        theirs.front.replies.append(self._reply)

    @property
    def endpoint(self) -> str:
        return f"{self._base}/device_authorization"

    def _reply(self, seen: Seen) -> Response | None:
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        if seen.path == "/device_authorization":
            self.asked.append(form)
            return JSONResponse(
                {
                    "device_code": self._code,
                    "user_code": "WDJB-MJHT",
                    "verification_uri": f"{self._base}/device",
                    "interval": 0,
                    "expires_in": 60,
                }
            )
        if seen.path != "/token" or form.get("grant_type") != DEVICE_GRANT:
            return None
        self.asked.append(form)
        if form["device_code"] != self._code:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if self._answers:
            return JSONResponse({"error": self._answers.pop(0)}, status_code=400)
        token = secrets.token_hex(16)
        self._auth.access_tokens[token] = AccessToken(
            token=token,
            client_id=form["client_id"],
            scopes=["read"],
            expires_at=int(time.time()) + 60,
        )
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 60})
