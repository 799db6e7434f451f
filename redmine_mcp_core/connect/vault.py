"""Where sign-ins rest between runs: the keyring of this machine, else an encrypted file.

One record per server, shared by every bridge of this user. The file is for machines without a
keyring, such as servers and containers: in a folder of mode 0700, itself 0600, encrypted with
``MCP_CONNECT_KEY`` or with a key that lies beside it. A key beside the file keeps tokens out of
backups and searches that take the one without the other; it does not keep out who reads both.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from platformdirs import user_data_path

from redmine_mcp_core.connect.background import in_background
from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.options import Options
from redmine_mcp_core.observability.logs import log

SERVICE = "redmine-mcp-connect"
_KEYRING_SECONDS = 60
_LOCK_PAUSE = 0.05


@dataclass
class Tokens:
    """What an authorization server granted."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    scope: str | None = None
    expires_at: float | None = None
    """Seconds since the epoch."""


@dataclass
class Registration:
    """How an authorization server knows us."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    auth_method: str | None = None
    redirect_uri: str | None = None
    issuer: str | None = None


@dataclass
class Endpoints:
    """Where tokens are refreshed and revoked, so that a later run need not ask again."""

    token: str
    revocation: str | None = None
    resource: str | None = None


@dataclass
class Record:
    """Everything that is kept about one server."""

    url: str
    registration: Registration | None = None
    tokens: Tokens | None = None
    endpoints: Endpoints | None = None

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Record:
        said: dict[str, Any] = json.loads(text)
        kinds = {"registration": Registration, "tokens": Tokens, "endpoints": Endpoints}
        parts = {name: kind(**said[name]) for name, kind in kinds.items() if said.get(name)}
        return cls(url=said["url"], **parts)


class _Place(Protocol):
    name: str

    def read(self) -> str | None: ...
    def write(self, text: str) -> None: ...
    def delete(self) -> None: ...


class Vault:
    """The record of one server."""

    def __init__(self, options: Options) -> None:
        self._url = options.url
        # What was granted to another client, or for another resource, is another sign-in.
        identity = [options.url, options.client_id or options.client_metadata_url, options.resource]
        self._id = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
        self._kind = options.store
        self._folder = user_data_path("redmine-mcp") / "connect"
        self._places: list[_Place] = []

    @property
    def where(self) -> str:
        """Where the record would be written now, in words."""
        return self._places[0].name if self._places else "nowhere yet"

    @property
    def port(self) -> int:
        """A port of this server's own, the same in every run, above those in common use."""
        return 20000 + int(self._id[:8], 16) % 12000

    async def read(self) -> Record:
        """What is stored, or an empty record."""
        for place in await self._opened():
            try:
                text = await _patiently(place.read)
                if text:
                    return Record.load(text)
            except Exception as error:  # noqa: BLE001 - keyrings raise what they like
                log.warning("stored sign-in cannot be read", where=place.name, problem=repr(error))
        return Record(self._url)

    async def write(self, record: Record) -> None:
        """Store the record in the first place that takes it, and nowhere else."""
        kept: _Place | None = None
        for place in await self._opened():
            try:
                await _patiently(partial(place.write, record.dump()))
            except Exception as error:  # noqa: BLE001 - keyrings raise what they like
                log.warning("sign-in not stored", where=place.name, problem=repr(error))
                continue
            kept = place
            break
        if kept is None:
            log.error("the sign-in is lost when this process ends")
        await self._forget_but(kept)

    async def forget(self) -> None:
        await self._forget_but(None)

    async def _forget_but(self, kept: _Place | None) -> None:
        for place in await self._opened():
            if place is not kept:
                with suppress(Exception):
                    await _patiently(place.delete)

    @asynccontextmanager
    async def lock(self, on_wait: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """One process at a time; the operating system frees it when its holder dies."""
        path = self._private_folder() / f"{self._id}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            waited = False
            while not _try_lock(descriptor):
                if not waited:
                    on_wait()
                waited = True
                await asyncio.sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(descriptor)

    async def _opened(self) -> list[_Place]:
        if not self._places:
            if self._kind != "file":
                keyring = await _patiently(self._keyring)
                if keyring:
                    self._places.append(keyring)
                elif self._kind == "keyring":
                    raise ConnectError("This machine has no keyring that works: try --store file.")
            if self._kind != "keyring":
                self._places.append(_File(self._private_folder(), self._id))
        return self._places

    def _keyring(self) -> _Place | None:
        try:
            import keyring
            from keyring.backends import null
        except ImportError:
            return None
        backend = keyring.get_keyring()
        try:
            # Below 1 are those that cannot work here, and those that store in clear text.
            works = backend.priority >= 1 and not isinstance(backend, null.Keyring)
        except RuntimeError:
            works = False
        return _Keyring(backend, self._id) if works else None

    def _private_folder(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if sys.platform != "win32" and self._folder.stat().st_mode & 0o077:
                self._folder.chmod(0o700)
        except OSError as error:
            raise ConnectError(
                f"{self._folder} cannot be used: {error.strerror}. Set XDG_DATA_HOME to a folder "
                "of yours."
            ) from None
        return self._folder


async def _patiently(work: Callable[[], Any]) -> Any:
    async with asyncio.timeout(_KEYRING_SECONDS):
        return await in_background(work)


class _Keyring:
    def __init__(self, backend: Any, record_id: str) -> None:
        self.name = f"the keyring ({type(backend).__module__.rpartition('.')[2]})"
        self._backend = backend
        self._id = record_id

    def read(self) -> str | None:
        text: str | None = self._backend.get_password(SERVICE, self._id)
        return text

    def write(self, text: str) -> None:
        self._backend.set_password(SERVICE, self._id, text)

    def delete(self) -> None:
        if self.read() is not None:
            self._backend.delete_password(SERVICE, self._id)


class _File:
    def __init__(self, folder: Path, record_id: str) -> None:
        self.name = str(folder / record_id)
        self._folder = folder
        self._path = folder / record_id

    def read(self) -> str | None:
        from cryptography.fernet import Fernet, InvalidToken

        if not self._path.exists():
            return None
        try:
            return Fernet(self._key()).decrypt(self._path.read_bytes()).decode()
        except InvalidToken:
            raise ValueError("it is encrypted with another key") from None

    def write(self, text: str) -> None:
        from cryptography.fernet import Fernet

        _write_privately(self._path, Fernet(self._key()).encrypt(text.encode()))

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)

    def _key(self) -> bytes:
        given = os.environ.get("MCP_CONNECT_KEY")
        if given:
            return urlsafe_b64encode(hashlib.sha256(given.encode()).digest())
        path = self._folder / "key"
        if not path.exists():
            # Linking refuses to replace the key that another process wrote meanwhile.
            mine = self._folder / f"key.{secrets.token_hex(8)}"
            _write_privately(mine, urlsafe_b64encode(secrets.token_bytes(32)))
            with suppress(FileExistsError):
                os.link(mine, path)
            mine.unlink()
        return path.read_bytes()


def _write_privately(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read (``mkstemp`` makes it 0600), all or nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
