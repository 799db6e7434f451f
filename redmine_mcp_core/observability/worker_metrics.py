"""The files in which workers count, read as one, and put together where a worker has died.

prometheus-client leaves the files of the dead lie, because their counts must not be lost. With
workers that come and go they would be ever more; so the counts of all the dead are moved into one
file. Nobody may read in between: a count that falls is taken for a restart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_KEPT = ("counter", "histogram")


class WorkersCollector(MultiProcessCollector):
    """The metrics of all workers, the living and the dead."""

    def collect(self) -> Iterable[Metric]:
        with _locked(exclusively=False):
            return list(super().collect())  # type: ignore[no-untyped-call]


def worker_ended(pid: int) -> None:
    """Keep what a worker counted, and forget what it was. For its supervisor, and for it alone."""
    folder = _folder()
    with _locked(exclusively=True):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        for kind in _KEPT:
            of_worker, of_dead = folder / f"{kind}_{pid}.db", folder / f"{kind}_dead.db"
            if not of_worker.exists():
                continue
            if of_dead.exists():
                _add(of_worker, of_dead, folder / f"{kind}.new")
                of_worker.unlink()
            else:
                of_worker.rename(of_dead)


def _add(one: Path, other: Path, new: Path) -> None:
    """Write the sums of two files into the second, by way of a new one."""
    new.unlink(missing_ok=True)
    written = MmapedDict(str(new))  # type: ignore[no-untyped-call]
    files = [str(one), str(other)]
    for metric in MultiProcessCollector.merge(files, accumulate=False):  # type: ignore[no-untyped-call]
        for sample in metric.samples:
            names, values = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, values, metric.documentation)
            written.write_value(key, sample.value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    new.replace(other)


@contextmanager
def _locked(*, exclusively: bool) -> Iterator[None]:
    import fcntl  # not on Windows, where there are no workers either

    with (_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        yield


def _folder() -> Path:
    return Path(os.environ[METRICS_DIR])
