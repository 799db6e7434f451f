#!/usr/bin/env python3
"""Start a real Redmine 6.1 on loopback, holding the sandbox's seed, for the test run.

The sandbox is only worth testing against if Redmine answers the same; this is the Redmine to ask.
Standard library only: it must run on a machine that has nothing of ours installed yet.

    up.py                start it (installs on the first call); prints KEY=value lines on stdout
    up.py reset          put database and files back to the seed, while it runs
    up.py down [--purge] stop it; --purge also deletes the cache

Exit code 77 means: no real Redmine can be had on this machine, and the last line says why.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED_JSON = HERE.parents[1] / "plugins/sandbox/redmine_mcp_sandbox/seed.json"
SEED_SCRIPT = HERE / "seed.rb"
DATABASE_YML = HERE / "database.yml"
ENVIRONMENT_RB = HERE / "additional_environment.rb"
DEBIAN_SH = HERE / "debian.sh"
DOCKER_SH = HERE / "docker.sh"
XDG_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = XDG_CACHE.resolve() / "redmine-mcp/real-redmine"
LOG = CACHE / "log"
DEFAULT_PORT = 3998
NOT_TO_BE_HAD = 77

# Nothing of the caller's environment (Ruby's least of all) may reach the chroot, but for proxies.
SYSTEM_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
PROXIES = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
RAILS_ENV = SYSTEM_ENV | {"TZ": "UTC", "RAILS_ENV": "production"}


class UnavailableError(Exception):
    """This way to a Redmine is closed here; the message says why."""


class FailedError(Exception):
    """Redmine could be had, but our own part went wrong."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def digest(*parts: str | bytes) -> str:
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()


def seed_key(*more: str | bytes) -> str:
    files = (SEED_JSON, SEED_SCRIPT, DATABASE_YML, ENVIRONMENT_RB)
    return digest(*more, *(file.read_bytes() for file in files))


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command; what it says goes to the log."""
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        nothing = subprocess.DEVNULL
        subprocess.run(command, stdin=nothing, stdout=log, stderr=log, env=env, cwd="/", check=True)


def log_tail(lines: int = 15) -> str:
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-lines:])


def answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/login", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(url: str, seconds: float, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not answers(url):
        if not alive() or time.monotonic() > deadline:
            raise FailedError(f"Redmine did not answer at {url}:\n{log_tail()}")
        time.sleep(0.1)


def choose_port() -> int:
    """REAL_REDMINE_PORT if set, else 3998, else any free one."""
    wanted = os.environ.get("REAL_REDMINE_PORT")
    for port in (int(wanted),) if wanted else (DEFAULT_PORT, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise FailedError(f"port {wanted} (REAL_REDMINE_PORT) is taken by another process")


class Debian:
    """Debian's packages in a chroot; puma runs as www-data, nothing is mounted."""

    root = CACHE / "root"
    app = root / "usr/share/redmine"
    files = root / "var/lib/redmine/default/files"
    database = root / "var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default"
    server = CACHE / "server.json"
    installed = CACHE / "installed.sqlite3"
    seeded = CACHE / "seed.sqlite3"
    seeded_files = CACHE / "seed-files"

    def obstacle(self) -> str | None:
        if os.geteuid() != 0:
            return "a chroot needs root"
        if not shutil.which("apt-get"):
            return "apt-get is missing"
        return None

    def up(self) -> str:
        install_key = digest(DEBIAN_SH.read_bytes())
        self._stage("install", install_key, self._install)
        self._stage("seed", seed_key(install_key), self._seed)
        return self._running() or self._start()

    def reset(self) -> bool:
        if not self._pid():
            return False
        self._restore()
        return True

    def down(self) -> bool:
        pid = self._pid()
        if not pid:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self._pid():
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)  # it leads its own session: the group is its workers
            time.sleep(0.05)
        self.server.unlink()
        return True

    def purge(self) -> None:
        if f" {self.root}/" in Path("/proc/self/mounts").read_text():
            raise FailedError(f"something is mounted below {self.root}; nothing was deleted")
        shutil.rmtree(self.root, ignore_errors=True)

    def _stage(self, name: str, key: str, build: Callable[[], None]) -> None:
        """Build what is missing or was built from other inputs."""
        mark = CACHE / f"{name}.key"
        if mark.exists() and mark.read_text() == key:
            return
        self.down()
        mark.unlink(missing_ok=True)
        began = time.monotonic()
        build()
        mark.write_text(key)
        say(f"{name}: {time.monotonic() - began:.1f} s")

    def _install(self) -> None:
        self.purge()
        try:
            run(DEBIAN_SH, self.root, env=SYSTEM_ENV | PROXIES)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(
                f"installing Debian's packages failed ({log_tail(1)})"
            ) from error
        copy_database(self.database, self.installed)

    def _seed(self) -> None:
        inside = "/" + str(self.database.relative_to(self.root))
        database_yml = DATABASE_YML.read_text().format(path=inside)
        (self.root / "etc/redmine/default/database.yml").write_text(database_yml)
        shutil.copyfile(ENVIRONMENT_RB, self.app / "config/additional_environment.rb")
        shutil.copyfile(SEED_SCRIPT, self.root / "tmp/seed.rb")
        shutil.copyfile(SEED_JSON, self.root / "tmp/seed.json")
        copy_database(self.installed, self.database)
        replace_folder(None, self.files)
        try:
            rails = "bundle exec rails runner /tmp/seed.rb /tmp/seed.json"
            run(*self._as_www_data(rails), env=RAILS_ENV)
        except subprocess.CalledProcessError as error:
            raise FailedError(f"the seed was refused:\n{log_tail()}") from error
        copy_database(self.database, self.seeded)
        replace_folder(self.files, self.seeded_files)

    def _restore(self) -> None:
        copy_database(self.seeded, self.database)
        # A worker rereads its cached settings only when the newest one is younger than its cache.
        soon = datetime.now(UTC) + timedelta(seconds=1)
        with closing(sqlite3.connect(self.database, timeout=15)) as live, live:
            live.execute("update settings set updated_on = ?", (f"{soon:%Y-%m-%d %H:%M:%S.%f}",))
        replace_folder(self.seeded_files, self.files)

    def _as_www_data(self, command: str) -> tuple[str | Path, ...]:
        shell = f"cd /usr/share/redmine && exec {command}"
        return ("chroot", "--userspec=www-data:www-data", self.root, "/bin/sh", "-c", shell)

    def _start(self) -> str:
        self.down()
        self._restore()
        for old in (self.root / "var/log/redmine/default").glob("*.log"):
            os.truncate(old, 0)
        url = f"http://127.0.0.1:{choose_port()}"
        puma = f"puma -C - -e production -b tcp{url.removeprefix('http')} -w 2 -t 4:4 --preload"
        with LOG.open("ab") as log:
            process = subprocess.Popen(
                self._as_www_data(puma),
                env=RAILS_ENV,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self.server.write_text(json.dumps({"pid": process.pid, "url": url}))
        try:
            wait_for(url, 60, alive=lambda: process.poll() is None)
        except FailedError:
            self.down()
            raise
        return url

    def _running(self) -> str | None:
        if not self._pid():
            return None
        url = str(json.loads(self.server.read_text())["url"])
        return url if answers(url) else None

    def _pid(self) -> int | None:
        """The id of our server, if it lives: a process inside our chroot is nobody else's."""
        try:
            pid = int(json.loads(self.server.read_text())["pid"])
            ours = Path(f"/proc/{pid}/root").samefile(self.root)
        except OSError:
            return None
        return pid if ours else None


def copy_database(source: Path, target: Path) -> None:
    """Copy with SQLite's backup, which is safe while either file is in use."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def replace_folder(source: Path | None, target: Path) -> None:
    """Make `target` hold what `source` holds (nothing, if None); owners and modes are kept."""
    target.mkdir(exist_ok=True)
    run("find", target, "-mindepth", "1", "-delete")
    if source:
        run("cp", "--archive", f"{source}/.", target)


class Docker:
    """Docker's official image, on SQLite inside the container."""

    def obstacle(self) -> str | None:
        if not shutil.which("docker"):
            return "docker is missing"
        return None if self._holds("engine") else "no Docker engine answers"

    def up(self) -> str:
        key = seed_key(DOCKER_SH.read_bytes())
        if not self._holds("made-from", key):
            self.purge()
            try:
                run(DOCKER_SH, "make", key, str(choose_port()))
            except subprocess.CalledProcessError as error:
                self.purge()
                raise UnavailableError(f"Docker failed ({log_tail(1)})") from error
        was_running = self._holds("running")
        run(DOCKER_SH, "start")
        address = subprocess.run((DOCKER_SH, "address"), capture_output=True, text=True, check=True)
        url = f"http://{address.stdout.split()[0]}"
        wait_for(url, 180, alive=lambda: self._holds("running"))
        if not self._holds("seeded"):
            try:
                run(DOCKER_SH, "seed", SEED_JSON)
            except subprocess.CalledProcessError as error:
                self.purge()
                raise FailedError(f"the seed was refused:\n{log_tail()}") from error
        elif not was_running:
            run(DOCKER_SH, "reset")
        return url

    def reset(self) -> bool:
        if not self._holds("running"):
            return False
        run(DOCKER_SH, "reset")
        return True

    def down(self) -> bool:
        if not self._holds("running"):
            return False
        run(DOCKER_SH, "stop")
        return True

    def purge(self) -> None:
        self._holds("purge")

    def _holds(self, *step: str) -> bool:
        return not subprocess.run((DOCKER_SH, *step), capture_output=True, check=False).returncode


WAYS = (Debian(), Docker())


def up() -> None:
    """Start Redmine by the first way that is open here, and print what tests need to know."""
    closed = []
    for way in WAYS:
        reason = way.obstacle()
        if not reason:
            try:
                print(f"REAL_REDMINE_URL={way.up()}")
                return
            except UnavailableError as error:
                say(log_tail())
                reason = str(error)
        closed.append(reason)
    say(f"No real Redmine can be had here: {'; '.join(closed)}.")
    raise SystemExit(NOT_TO_BE_HAD)


def reset() -> None:
    """Put the seed back, while Redmine runs."""
    if not any(way.reset() for way in WAYS if not way.obstacle()):
        raise FailedError("no real Redmine runs: call `up` first")


def down(*, purge: bool) -> None:
    """Stop what `up` started."""
    for way in (way for way in WAYS if not way.obstacle()):
        if way.down():
            say("stopped")
        if purge:
            way.purge()
    if purge:
        shutil.rmtree(CACHE)


@contextmanager
def alone() -> Iterator[None]:
    """One call at a time; the lock ends with the process, however it ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE.parent / "real-redmine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description="A real Redmine 6.1 on loopback, seeded.")
    parser.add_argument("action", nargs="?", choices=("up", "reset", "down"), default="up")
    parser.add_argument("--purge", action="store_true", help="with down: delete the cache too")
    options = parser.parse_args()
    os.umask(0o022)  # www-data has to read what we write
    actions: dict[str, Callable[[], None]] = {
        "up": up,
        "reset": reset,
        "down": lambda: down(purge=options.purge),
    }
    try:
        with alone():
            actions[options.action]()
    except FailedError as error:
        say(f"error: {error}")
        raise SystemExit(1) from error
    except subprocess.CalledProcessError as error:
        say(f"{log_tail()}\nerror: {error}")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
