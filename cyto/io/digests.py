"""What files hold, as numbers; remembered, so that a large input is read for it once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Protocol

import xxhash

from cyto.errors import ChannelError

_BLOCK = 4 << 20
_WORKERS = 4
_RACY_NS = 2_000_000_000
_ATTEMPTS = 3

_Identity = tuple[str, int, int, int]


class Hash(Protocol):
    """What reads bytes and gives a number for them, as those of `hashlib` do."""

    def update(self, data: memoryview, /) -> object:
        """Read on."""

    def hexdigest(self) -> str:
        """Give the number of all that was read."""


def digest_files(
    paths: Sequence[str], memory: Path, new: Callable[[], Hash] = xxhash.xxh3_128
) -> list[str]:
    """Hash the contents of files, in the order given.

    Parameters
    ----------
    paths
        Absolute paths.
    memory
        A file that remembers digests by path, size, time of change and inode; made when it is
        not there. Several processes may use it at once.
    new
        Begins a hash: XXH3-128, unless something else is asked for; each needs its own memory.

    Raises
    ------
    ChannelError
        A file cannot be read, or keeps changing while it is read.

    Notes
    -----
    A file changed in the two seconds before it was hashed is not remembered: a second change
    within the clock's step would not show in its time.
    """
    known = _memory(memory).recall()
    recalled = _all_known(paths, known)
    if recalled is not None:
        return recalled
    with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda path: _digest(path, known, new), paths))
    _remember(memory, ((i, d) for i, d, old in found if i is not None and not old))
    return [digest for _, digest, _ in found]


def _all_known(paths: Sequence[str], known: dict[_Identity, str]) -> list[str] | None:
    """Give the digests when all are known: threads cost more than looking."""
    try:
        return [known[_identity(path)] for path in paths]
    except (KeyError, OSError):
        return None


def _digest(
    path: str, known: dict[_Identity, str], new: Callable[[], Hash]
) -> tuple[_Identity | None, str, bool]:
    """Give identity (``None`` if it must not be remembered), digest, and whether it was known."""
    try:
        for _ in range(_ATTEMPTS):
            before, now = _identity(path), time.time_ns()
            if before in known:
                return before, known[before], True
            digest = _hash(path, new)
            if _identity(path) == before:
                settled = now - before[2] > _RACY_NS
                return (before if settled else None), digest, False
    except OSError as error:
        raise ChannelError(f"cannot read {path}: {error.strerror}", path=path) from error
    raise ChannelError(
        f"{path} changes while it is read",
        path=path,
        hint="wait until nothing writes to it any more, then run again",
    )


def _identity(path: str) -> _Identity:
    status = os.stat(path)  # noqa: PTH116
    return path, status.st_size, status.st_mtime_ns, status.st_ino


def _hash(path: str, new: Callable[[], Hash]) -> str:
    state, buffer = new(), bytearray(_BLOCK)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            state.update(view[:count])
    return state.hexdigest()


class _Memory:
    """What a file remembers; read on from where it was read to, as it is only appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._inode = self._read = 0
        self._known: dict[_Identity, str] = {}

    def recall(self) -> dict[_Identity, str]:
        """Give all that is known; a line that is not whole is as good as none."""
        with self._lock, contextlib.suppress(OSError), self._path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_ino != self._inode or status.st_size < self._read:
                self._inode, self._read, self._known = status.st_ino, 0, {}
            stream.seek(self._read)
            text = stream.read()
            whole = text.rfind(b"\n") + 1
            self._read += whole
            self._known.update(_entries(text[:whole]))
        return self._known


@cache
def _memory(path: Path) -> _Memory:
    return _Memory(path)


def _entries(text: bytes) -> Iterator[tuple[_Identity, str]]:
    for line in text.decode("utf-8", errors="replace").splitlines():
        try:
            path, size, mtime_ns, inode, digest = json.loads(line)
        except (ValueError, TypeError):
            continue
        if all(isinstance(part, str | int) for part in (path, size, mtime_ns, inode)):
            yield (path, size, mtime_ns, inode), digest


def _remember(memory: Path, found: Iterable[tuple[_Identity, str]]) -> None:
    """Append what was found; failing to is no reason to stop."""
    text = "".join(json.dumps([*identity, digest]) + "\n" for identity, digest in found)
    if not text:
        return
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with memory.open("a", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write(text)
    except OSError:
        return
