"""One run at a time in one output folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

from cyto.core.layout import RunLayout
from cyto.errors import RunLockedError, UnavailableError

_LOOKS = 25


class RunLock:
    """Hold an output folder for as long as the ``with`` block lasts.

    The lock is the kernel's: it goes when its process does, however that ends.

    Raises
    ------
    RunLockedError
        Another run holds it; says its pid and host.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> RunLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = open(self._path, "a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise UnavailableError(
                f"the output folder {self._path.parent.parent} cannot be written: {error.strerror}",
                hint="name another with --output-dir",
            ) from error
        try:
            _take(file)
        except OSError:
            file.seek(0)
            holder = _read(file.read())
            file.close()
            raise RunLockedError(
                f"another run works in {self._path.parent.parent}: {holder}",
                hint="wait for it to end, stop it, or give this run another --output-dir",
            ) from None
        file.truncate(0)
        mine = {"pid": os.getpid(), "host": os.uname().nodename, "since": time.strftime("%c")}
        with contextlib.suppress(OSError):  # a full disk: held all the same
            os.write(file.fileno(), json.dumps(mine).encode())
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def _take(file: IO[str]) -> None:
    """Take the lock; somebody who only looks whether it is held has it for an instant."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            file.seek(0)
            if file.read():
                raise
            time.sleep(0.02)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(text: str) -> str:
    try:
        data = json.loads(text)
        return f"pid {data['pid']} on host {data['host']}, since {data['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said which"


def is_driven(layout: RunLayout) -> bool:
    """Tell whether a driver, on any host that shares the files, works in the output folder."""
    try:
        with open(layout.lock, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except OSError:
        return layout.lock.exists()
