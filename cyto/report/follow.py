"""What tools print, shown while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cyto.engine.record import Event

_PAUSE_S = 0.2


@dataclass
class _Log:
    path: Path
    place: int = 0
    rest: bytes = b""


class LogFollower:
    """Hand each line that a running node's tool prints to a function, with the node's name.

    A node that runs in chunks has a log for each.

    Use it as a context manager, and call it with every event of the run.
    """

    def __init__(self, show: Callable[[str, str], None]) -> None:
        self._show = show
        self._logs: dict[tuple[str, int | None], _Log] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> LogFollower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __call__(self, event: Event) -> None:
        """Start and stop following as nodes start and finish."""
        with self._lock:
            if event["event"] in {"node_started", "chunk_started"}:
                self._logs[_key(event)] = _Log(Path(event["log"]))
            elif event["event"] in {"node_finished", "chunk_finished"}:
                key = _key(event)
                if key in self._logs:
                    log = self._logs.pop(key)
                    self._read(key[0], log)
                    if log.rest:
                        self._tell(key[0], log.rest)

    def _follow(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            with self._lock:
                for (node, _), log in self._logs.items():
                    self._read(node, log)

    def _read(self, node: str, log: _Log) -> None:
        try:
            with log.path.open("rb") as file:
                file.seek(log.place)
                data = file.read()
        except OSError:
            return
        log.place += len(data)
        *lines, log.rest = (log.rest + data).split(b"\n")
        for line in lines:
            self._tell(node, line)

    def _tell(self, node: str, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace")
        self._show(node, text.rpartition("\r")[2])  # of a progress bar, the last state


def _key(event: Event) -> tuple[str, int | None]:
    return event["node"], event.get("chunk")
