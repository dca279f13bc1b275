"""Whose turn it is: threads that run one node after the other, as the scheduler lets them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from queue import Empty, SimpleQueue

from cyto.engine.local import ChunkEnd, Split
from cyto.engine.outcomes import NodeReport
from cyto.engine.scheduler import Grant, Scheduler

End = NodeReport | Split | ChunkEnd


class Turns:
    """Start what may start and take in what ended.

    A thread whose node ended asks for the next one itself: to hand it over to another costs more
    than many a node does.

    Parameters
    ----------
    scheduler
        Asked by one thread at a time.
    threads
        Run what runs here.
    run
        Runs a node or a chunk, in one of *threads*; gives its end.
    elsewhere
        Starts what does not run here, and says so; false for what does.
    settle
        Takes in the report of a node; by one thread at a time.
    stop
        When set, nothing is started any more.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        threads: Executor,
        *,
        run: Callable[[Grant], End],
        elsewhere: Callable[[Grant], bool],
        settle: Callable[[NodeReport], None],
        stop: threading.Event,
    ) -> None:
        self._scheduler, self._threads, self._stop = scheduler, threads, stop
        self._run, self._elsewhere, self._settle = run, elsewhere, settle
        self._lock = threading.Lock()
        self._news: SimpleQueue[End | BaseException | None] = SimpleQueue()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing is left."""
        with self._lock:
            return not (self._scheduler.unfinished or self._scheduler.running)

    @property
    def stuck(self) -> bool:
        """Whether something is left and can never start."""
        with self._lock:
            left = self._scheduler.unfinished and not self._scheduler.running
            return left and not self._stop.is_set()

    def start(self) -> None:
        """Start all that may start."""
        for grant in self._here(self._next()):
            self._threads.submit(self._go_on, grant)

    def ended(self, end: End) -> None:
        """Say from any thread what ended elsewhere; `wait` takes it in."""
        self._news.put(end)

    def wait(self, timeout_s: float) -> bool:
        """Wait until something ended that `start` should follow; tell whether it did.

        Raises
        ------
        BaseException
            Whatever went wrong in a thread.
        """
        try:
            news = self._news.get(timeout=timeout_s)
        except Empty:
            return False
        if isinstance(news, BaseException):
            raise news
        if news is not None:
            with self._lock:
                self._take_in(news)
        return True

    def drop(self, settle: Callable[[str], None]) -> None:
        """Give up on all that has not started; *settle* is told its names."""
        with self._lock:
            for name in self._scheduler.drop():
                settle(name)

    def _go_on(self, grant: Grant | None) -> None:
        try:
            while grant is not None:
                grant = self._after(self._run(grant))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._news.put(error)

    def _after(self, end: End) -> Grant | None:
        """Take in an end; give what this thread is to run next, and let others run the rest."""
        grants = self._next(end)
        here = self._here(grants)
        mine = here[0] if here else None
        for grant in here[1:]:
            self._threads.submit(self._go_on, grant)
        if mine is None or len(grants) > len(here) or self._stop.is_set():
            self._news.put(None)
        return mine

    def _next(self, end: End | None = None) -> list[Grant]:
        with self._lock:
            if end is not None:
                self._take_in(end)
            return [] if self._stop.is_set() else self._scheduler.take()

    def _here(self, grants: Iterable[Grant]) -> list[Grant]:
        return [grant for grant in grants if not self._elsewhere(grant)]

    def _take_in(self, end: End) -> None:
        if isinstance(end, Split):
            self._scheduler.split(end.node, end.chunks, end.limit)
            return
        if isinstance(end, ChunkEnd):
            self._scheduler.release(end.node, end.chunk)
            if end.report is None:
                return
            end = end.report
        self._settle(end)
