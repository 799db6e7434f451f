"""Where a sign-in rests: the keyring, else an encrypted file that nobody else may read."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from redmine_mcp_core.connect import ConnectError, Options
from redmine_mcp_core.connect.options import StoreKind
from redmine_mcp_core.connect.vault import Endpoints, Record, Registration, Tokens, Vault
from tests.connect.keyrings import FileKeyring, FullKeyring

URL = "https://redmine.example/mcp"
RECORD = Record(
    URL,
    Registration("the-client", "the-secret"),
    Tokens("the-access", "the-refresh", "read", 1.0),
    Endpoints("https://redmine.example/token"),
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring"))
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "redmine-mcp/connect").glob("*") if path.suffix != ".lock"]


def use(kind: Callable[[], KeyringBackend]) -> None:
    """Have this machine's keyring be of this kind."""
    keyring.set_keyring(kind())


def vault(store: StoreKind = "auto") -> Vault:
    return Vault(Options(url=URL, store=store))


async def test_a_keyring(tmp_path: Path) -> None:
    """Where this machine has a keyring, nothing is written to a file."""
    use(FileKeyring)
    await vault().write(RECORD)
    kept = await vault().read()
    await vault().forget()

    assert kept == RECORD
    assert files(tmp_path) == []
    assert (await vault().read()).tokens is None


async def test_a_keyring_that_takes_nothing(tmp_path: Path) -> None:
    """Then it is a file, also for a reader that asks the keyring first."""
    use(FullKeyring)
    await vault().write(RECORD)

    assert await vault().read() == RECORD
    assert len(files(tmp_path)) == 2


async def test_what_a_keyring_held_before() -> None:
    """A record in a file does not stand behind an older one in the keyring."""
    use(FileKeyring)
    await vault().write(Record(URL, tokens=Tokens("the-old-access")))
    use(FullKeyring)
    await vault().write(RECORD)

    assert await vault().read() == RECORD


async def test_a_file(tmp_path: Path) -> None:
    """The folder is 0700, the files 0600, and no secret stands in them."""
    await vault("file").write(RECORD)
    kept = await vault("file").read()

    assert kept == RECORD
    assert stat.S_IMODE((tmp_path / "redmine-mcp/connect").stat().st_mode) == 0o700
    for path in files(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"the-" not in path.read_bytes()


async def test_a_folder_that_others_may_read(tmp_path: Path) -> None:
    """A folder that was made too open is closed."""
    (tmp_path / "redmine-mcp/connect").mkdir(parents=True, mode=0o755)
    await vault("file").write(RECORD)

    assert stat.S_IMODE((tmp_path / "redmine-mcp/connect").stat().st_mode) == 0o700


async def test_a_key_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MCP_CONNECT_KEY no key lies beside the file, and without it the file stays closed."""
    monkeypatch.setenv("MCP_CONNECT_KEY", "a key of one's own")
    await vault("file").write(RECORD)
    assert len(files(tmp_path)) == 1
    assert await vault("file").read() == RECORD

    monkeypatch.setenv("MCP_CONNECT_KEY", "another")

    assert (await vault("file").read()).tokens is None


async def test_no_keyring_where_one_is_demanded() -> None:
    """--store keyring never falls back to a file."""
    use(fail.Keyring)
    with pytest.raises(ConnectError, match="--store file"):
        await vault("keyring").read()


async def test_sign_ins_do_not_mix() -> None:
    """Another client or resource at the same address is another sign-in."""
    await vault("file").write(RECORD)
    for other in ({"client_id": "another"}, {"resource": "https://redmine.example/"}):
        options = Options(url=URL, store="file", **other)  # type: ignore[arg-type]

        assert (await Vault(options).read()).tokens is None
