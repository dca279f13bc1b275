"""A run's page while the run goes on, served to a browser on the same machine."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from cyto.core.layout import RunLayout
from cyto.engine.record import Event
from cyto.engine.view import RunView
from cyto.errors import UnavailableError
from cyto.report.page import Page

_PAUSE_S = 0.4
_RESULTS_PAUSE_S = 3.0
_SHARE = 20
"""Plots and pictures may take this part of the time, so that they do not slow the run."""


def check_library() -> None:
    """Make sure that the server's library is installed.

    Raises
    ------
    UnavailableError
        It is not; says how to get it.
    """
    if importlib.util.find_spec("tornado") is None:
        raise UnavailableError(
            "--dashboard needs the library tornado, which is not installed here",
            hint="pip install 'pycyto[dashboard]'; without it, the same page is there as "
            "report.html when the run has ended",
        )


class Dashboard:
    """Serve the page of a run as its events come.

    Use it as a context manager, and call it with every event. It listens on 127.0.0.1 alone, and
    only for who knows the token in its address; nothing can be changed through it. When the block
    ends, open pages get how the run ended, and stay as they are.

    Notes
    -----
    Events are taken in by a thread of its own: the run never waits for a browser.
    """

    def __init__(self) -> None:
        from cyto.report._server import Server

        self._server = Server()
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._page: Page | None = None
        self._closing = threading.Event()
        self._changed: set[str] = set()
        self._news = False
        self._next_results = 0.0
        self._thread = threading.Thread(target=self._work, name="dashboard", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return self._server.address

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._server.close()

    def __call__(self, event: Event) -> None:
        """Note an event of the run."""
        self._events.put(event)

    def _work(self) -> None:
        try:
            while not self._closing.is_set():
                self._take_in(_PAUSE_S)
                self._tell(last=False)
                self._closing.wait(_PAUSE_S)
            self._take_in(0)
            self._tell(last=True)
        except Exception as error:  # noqa: BLE001 - the run goes on without its page
            self._server.fail(f"the dashboard failed: {type(error).__name__}: {error}")

    def _take_in(self, patience_s: float) -> None:
        try:
            event = (
                self._events.get(timeout=patience_s) if patience_s else self._events.get_nowait()
            )
            while True:
                self._add(event)
                event = self._events.get_nowait()
        except Empty:
            return

    def _add(self, event: Event) -> None:
        if event["event"] == "run_started":
            view = RunView(RunLayout(Path(event["output_dir"]), event["run"]))
            view.add(event)
            self._page = Page(view)
            nodes = view.nodes.values()
            self._show({**self._page.run(), **self._page.graph(), **self._page.nodes(nodes)})
        elif self._page is not None:
            self._changed |= self._page.view.add(event)
            self._news |= event["event"] in {"node_finished", "run_finished"}

    def _tell(self, *, last: bool) -> None:
        """Send what changed, plots and pictures more rarely."""
        page = self._page
        if page is None or not (self._changed or self._news or last):
            return
        nodes = [page.view.nodes[name] for name in self._changed]
        self._changed = set()
        parts = {**page.run(), **page.nodes(nodes)}
        if self._news and (last or time.monotonic() >= self._next_results):
            began = time.monotonic()
            parts |= {**page.results(), **page.about()}
            spent = time.monotonic() - began
            self._next_results = time.monotonic() + max(_RESULTS_PAUSE_S, _SHARE * spent)
            self._news = False
        self._show(parts)

    def _show(self, parts: Mapping[str, Any]) -> None:
        self._server.show(parts)
