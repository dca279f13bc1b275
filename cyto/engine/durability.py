"""Results on the disk, not only in the system's memory: many at once, and what a full disk says."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyto.errors import UnavailableError

_INTERVAL_S = 1.0
_FULL = {errno.ENOSPC, errno.EDQUOT}


class GroupCommit:
    """Bring what is published to the disk: once a second in the background, and when asked.

    One ``syncfs`` serves all that was written before it, so that a node pays for no ``fsync`` of
    its own. A power loss costs what was published in the last second, never more; what it tore is
    found by its checksum.

    Parameters
    ----------
    folder
        Lies on the file system that is meant.
    interval_s
        How long a result may wait.
    """

    def __init__(self, folder: Path, interval_s: float = _INTERVAL_S) -> None:
        self._folder, self._interval_s = folder, interval_s
        self._wanted, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._fd: int | None = None
        self._fault: OSError | None = None

    def note(self) -> None:
        """Say that something was published."""
        self._wanted.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="disk", daemon=True)
                    self._thread.start()

    def flush(self) -> None:
        """Return when all that was published so far is on the disk.

        Raises
        ------
        UnavailableError
            The file system says, now or since the first call, that something did not get there.
        """
        self._sync()
        if self._fault is not None:
            raise UnavailableError(
                f"results in {self._folder} did not reach the disk: {self._fault.strerror}",
                hint="see to the disk, then run again: what is damaged is found and made anew",
            ) from self._fault

    def close(self) -> None:
        """End the thread; waits for nothing else."""
        self._closed.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def _work(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            self._sync()  # the first at once: a large result is written while the next is computed
            self._closed.wait(self._interval_s)

    def _sync(self) -> None:
        with self._lock:
            try:
                if self._fd is None:  # held open: a file system tells each opener of faults once
                    self._fd = os.open(self._folder, os.O_RDONLY)
                _sync_file_system(self._fd)
            except OSError as error:
                self._fault = error


def _sync_file_system(fd: int) -> None:
    """Write everything on the file system of *fd* to its disk; threads go on meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):  # not Linux
        os.sync()
    elif libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Turn the system's word for a full disk into ours.

    Raises
    ------
    UnavailableError
        No space, or none within the user's quota, was left for what the block wrote.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        file = f" while {error.filename} was written" if error.filename else ""
        raise UnavailableError(
            f"{error.strerror} on the disk of {folder}{file}",
            hint="make room there and run again: what was done before is not done again; "
            "or name another --output-dir",
        ) from error
