"""Where workers leave their metrics: a folder that goes with their supervisor.

One that is killed leaves it behind. So each holds a lock in its folder as long as it lives, which
the kernel takes from the dead, and the next one to start removes what nobody holds. The number of
the process would not do: numbers come again, and containers that share a folder for temporary files
have numbers of their own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from redmine_mcp_core.observability.worker_metrics import METRICS_DIR

_PREFIX = "redmine-mcp-metrics-"
_HELD = "supervisor"


@contextmanager
def metrics_folder() -> Iterator[None]:
    """A folder where all workers leave their metrics, unless the operator named one."""
    if METRICS_DIR in os.environ:
        # What an earlier run left behind would be counted again.
        for kind in ("counter", "gauge", "histogram", "summary"):
            for left in Path(os.environ[METRICS_DIR]).glob(f"{kind}_*.db"):
                left.unlink()
        yield
        return
    _remove_what_the_dead_left()
    with TemporaryDirectory(prefix=_PREFIX) as folder, _held(Path(folder)):
        os.environ[METRICS_DIR] = folder
        try:
            yield
        finally:
            del os.environ[METRICS_DIR]


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    with (folder / "new").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Under this name nobody ever sees it unlocked, unless its holder is dead.
        (folder / "new").rename(folder / _HELD)
        yield


def _remove_what_the_dead_left() -> None:
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        # One that lives, one that another supervisor removes at this moment, or a strange one.
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid():
                with (folder / _HELD).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
