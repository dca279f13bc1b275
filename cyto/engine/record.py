"""The run record: everything that happened, one JSON object per line, only ever appended."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]
"""``event`` (its name), ``time`` (seconds since the epoch), and what belongs to it."""
Listener = Callable[[Event], None]


class RunRecord:
    """Write events to a file and tell them to listeners, in one order."""

    def __init__(self, path: Path, listeners: tuple[Listener, ...] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - held open
        self._listeners = listeners
        self._lock = threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        """Append one event."""
        entry: Event = {"event": event, "time": time.time(), **facts}
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            written = self._file.write(line)
            while written < len(line):  # a full disk may take a part of it, and then says so
                written += self._file.write(line[written:])
            for listener in self._listeners:
                listener(entry)

    def close(self) -> None:
        """Bring the record to the disk and close it."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def read_events(path: Path) -> Iterator[Event]:
    """Read a record; what a crash or a power loss cut short or left empty is left out."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            event = read_event(line) if line.endswith("\n") else None
            if event is not None:
                yield event


def read_event(line: str | bytes) -> Event | None:
    """Read one line of a record; ``None`` for one that is not whole."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
