"""The codes of the device flow (RFC 8628), in the token store.

A device holds the long code and polls with it; its user holds the short one and enters it in a
browser. The long one is a secret and is kept hashed. The short one is none for long, but it can be
guessed, so tries are counted.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.storage import TokenStore

LIFETIME = 600
"""Seconds in which the person has to have signed in."""
INTERVAL = 5
"""Seconds between polls, and by how many they grow for a device that polls faster."""
JITTER = 0.5
"""Seconds by which a poll may be early: a network delivers one sooner than the one before."""
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; and nothing that looks like something else (RFC 8628, section 6.1)."""
LENGTH = 8
TRIES = {"browser": 20, "address": 60, "all": 20_000}
"""How many short codes may be tried in ``TRY_SECONDS``: by one browser, from one address, by all.
With a hundred codes waiting, the last is one hit in some 13,000 windows at worst."""
TRY_SECONDS = 600

_REQUESTS, _SHORT, _ANSWERS, _POLLS = "devices", "device-codes", "device-answers", "device-polls"


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device that waits for its user."""

    id: str
    """The hash of its long code."""
    client_id: str
    scopes: list[str]
    address: str
    """Where it asked from; empty if that is not known."""
    user_code: str
    expires: float
    """Unix time."""

    @property
    def shown_code(self) -> str:
        """The short code as people read it: ``XXXX-XXXX``."""
        return f"{self.user_code[:4]}-{self.user_code[4:]}"

    @property
    def seconds_left(self) -> float:
        return self.expires - time.time()


class DeviceCodes:
    """The devices that wait, and what becomes of them."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    async def ask(
        self, client_id: str, scopes: list[str], address: str
    ) -> tuple[str, DeviceRequest]:
        """A new request, and the long code of its device."""
        device_code = secrets.token_urlsafe(32)
        device_id = digest_of(device_code)
        while True:
            user_code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            if await self._store.set_if_absent(
                user_code, {"device": device_id}, collection=_SHORT, ttl=LIFETIME
            ):
                break
        request = DeviceRequest(
            device_id, client_id, scopes, address, user_code, time.time() + LIFETIME
        )
        # For longer than it is good, so that a late poll can be told why it fails.
        await self._store.put(device_id, asdict(request), collection=_REQUESTS, ttl=2 * LIFETIME)
        return device_code, request

    async def may_try(self, **whom: str) -> bool:
        """Count a try with a short code, by ``browser`` and by ``address``."""
        counts = [
            await self._store.increment(f"device-tries {per} {name}", window=TRY_SECONDS)
            <= TRIES[per]
            for per, name in {**whom, "all": ""}.items()
            if name or per == "all"
        ]
        return all(counts)

    async def find(self, user_code: str) -> DeviceRequest | None:
        """The request that waits under a short code. Case and dashes do not matter."""
        letters = "".join(letter for letter in user_code.upper() if letter in LETTERS)
        record = await self._store.get(letters, collection=_SHORT) if letters else None
        return await self.get(record["device"]) if record else None

    async def get(self, device_id: str) -> DeviceRequest | None:
        """A request that nobody has answered yet."""
        record = await self._store.get(device_id, collection=_REQUESTS)
        request = DeviceRequest(**record) if record else None
        return request if request and request.seconds_left > 0 else None

    async def answer(self, request: DeviceRequest, tokens: Mapping[str, Any] | None) -> bool:
        """Settle a request, once: with tokens, or with None for a refusal. False if it is too late,
        or was settled before."""
        if not await self._store.pop(request.user_code, collection=_SHORT):
            return False
        await self._store.put(
            request.id,
            {"tokens": tokens, "at": time.time()},
            collection=_ANSWERS,
            ttl=max(1.0, request.seconds_left),
        )
        return True

    async def poll(self, device_code: str, client_id: str) -> dict[str, Any] | str:
        """What a device is told: its tokens, once, or an error code (RFC 8628, section 3.5)."""
        device_id = digest_of(device_code)
        record = await self._store.get(device_id, collection=_REQUESTS)
        if record is None or record["client_id"] != client_id:
            return "invalid_grant"
        if record["expires"] <= time.time():
            return "expired_token"
        answer = await self._store.pop(device_id, collection=_ANSWERS)
        if answer is None:
            return await self._paced(device_id)
        await self._store.delete(device_id, collection=_REQUESTS)
        if answer["tokens"] is None:
            return "access_denied"
        tokens: dict[str, Any] = answer["tokens"]
        return {**tokens, "expires_in": tokens["expires_in"] - int(time.time() - answer["at"])}

    async def _paced(self, device_id: str) -> str:
        last = await self._store.get(device_id, collection=_POLLS)
        now, interval = time.time(), last["interval"] if last else INTERVAL
        is_early = last is not None and now - last["at"] < interval - JITTER
        if is_early:
            interval += INTERVAL
        await self._store.put(
            device_id, {"at": now, "interval": interval}, collection=_POLLS, ttl=LIFETIME
        )
        return "slow_down" if is_early else "authorization_pending"
