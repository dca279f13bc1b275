"""Results that hold no file: one line each in a file of the store, in place of a folder."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import xxhash

_BEGIN = re.compile(rb'\{"key": "([0-9a-f]{32})", "checksum": "')
_GONE = "gone"


class ValueLines:
    """Lines of JSON, only ever added to; the last one of a key counts.

    A line carries a checksum of the rest of it: one that a crash cut short, or a disk damaged, is
    as good as none. Whoever writes holds the run's lock; readers need not.

    Parameters
    ----------
    path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._places: dict[str, tuple[int, int]] | None = None
        self._end, self._torn = 0, False
        self._fd, self._writes = -1, False

    def __contains__(self, key: str) -> bool:
        return key in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._known()))

    def size(self, key: str) -> int:
        """Give the length of a key's line in bytes."""
        return self._known()[key][1]

    def get(self, key: str) -> dict[str, Any] | None:
        """Give what a key's line says; ``None`` when there is none.

        Raises
        ------
        ValueError
            It is damaged.
        """
        with self._lock:
            place = self._known().get(key)
            if place is None:
                return None
            line = os.pread(self._open(), place[1], place[0])
        data = _read(line)
        if data is None or data["key"] != key:
            raise ValueError(f"the line of {key} in {self.path} is not what was published")
        return data

    def add(self, key: str, data: dict[str, Any]) -> None:
        """Write a key's line, which takes the place of one that is there."""
        self._append(key, _line(key, data))

    def forget(self, key: str) -> None:
        """Let a key have no line any more."""
        with self._lock:
            if key in self:
                self._append(key, _line(key, {_GONE: True}))
                self._known().pop(key)

    def remove(self, keys: Collection[str]) -> None:
        """Write the file anew without these keys, and without what counts no more."""
        kept = [key for key in self if key not in keys]
        if not kept:
            self.path.unlink()
            return self.close()
        part = self.path.with_suffix(".part")
        with open(part, "wb") as file:
            for key in kept:
                offset, length = self._known()[key]
                file.write(os.pread(self._open(), length, offset))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        return self.close()

    def close(self) -> None:
        """Close the file; it is read again when it is asked."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd, self._places = -1, None

    def _append(self, key: str, line: bytes) -> None:
        with self._lock:
            places, file = self._known(), self._open(write=True)
            begin = b"\n" if self._torn else b""
            self._torn = True  # until it is whole: a full disk may take a part of it
            data = memoryview(begin + line)
            while data:
                done = os.write(file, data)
                self._end += done
                data = data[done:]
            self._torn = False
            places[key] = self._end - len(line), len(line)

    def _open(self, *, write: bool = False) -> int:
        if self._fd < 0:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT if write else os.O_RDONLY
            self._fd, self._writes = os.open(self.path, flags | os.O_CLOEXEC, 0o666), write
        elif write and not self._writes:
            os.close(self._fd)
            self._fd = -1
            return self._open(write=True)
        return self._fd

    def _known(self) -> dict[str, tuple[int, int]]:
        with self._lock:
            if self._places is None:
                self._places = self._scan()
            return self._places

    def _scan(self) -> dict[str, tuple[int, int]]:
        """Find where each key's line is; only what is asked for is read whole."""
        places: dict[str, tuple[int, int]] = {}
        self._end, self._torn = 0, False
        for line in _lines(self.path):
            begins = _BEGIN.match(line)
            if begins and line.endswith(b"\n"):
                key = begins[1].decode()
                places[key] = self._end, len(line)
                if _is_gone(line):
                    del places[key]
            self._end += len(line)
            self._torn = not line.endswith(b"\n")
        return places


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _line(key: str, data: dict[str, Any]) -> bytes:
    body = json.dumps(data).encode()
    checksum = xxhash.xxh3_64_hexdigest(key.encode() + body)
    return f'{{"key": "{key}", "checksum": "{checksum}", '.encode() + body[1:] + b"\n"


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(line)
        key, checksum = data["key"], data["checksum"]
        _, _, body = line.partition(f'"{checksum}", '.encode())
        intact = xxhash.xxh3_64_hexdigest(key.encode() + b"{" + body.rstrip(b"\n")) == checksum
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return data if intact else None


def _is_gone(line: bytes) -> bool:
    return len(line) < 120 and (_read(line) or {}).get(_GONE) is True
