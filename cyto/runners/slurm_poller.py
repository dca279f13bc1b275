"""One poller for all submissions: files often, for they cost little, and Slurm seldom."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from cyto.runners.slurm_commands import Commands, JobState, SilentError
from cyto.runners.slurm_watch import Submission, Watched

_LOG = logging.getLogger(__name__)
_GROWTH = 1.5


class Poller:
    """Follow submissions until each of their requests has been told of.

    Everything is told from one thread. Slurm's controller, which may take its time, is asked in
    another, so that an answer in a file never waits for it.

    Parameters
    ----------
    commands
        Slurm's programs.
    grace_s
        How long after a job's end its files may take to appear.
    files_s, queue_s
        Shortest and longest time between two looks at the files, and at the queue.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        grace_s: float = 10.0,
        files_s: tuple[float, float] = (0.05, 2.0),
        queue_s: tuple[float, float] = (1.0, 30.0),
    ) -> None:
        self._commands, self._grace_s = commands, grace_s
        self._files_s, self._queue_s = files_s, queue_s
        self._watched: dict[Path, Watched] = {}
        self._lock = threading.Lock()
        self._news: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._missing: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._inquired: set[str] = set()
        self._look, self._ask, self._closed = threading.Event(), threading.Event(), False
        self._threads: list[threading.Thread] = []

    def add(self, watched: Watched) -> None:
        """Follow one more."""
        with self._lock:
            self._watched[watched.submission.folder] = watched
            if not self._threads:
                for run in (self._follow_files, self._follow_queue):
                    thread = threading.Thread(target=run, name=f"slurm{run.__name__}", daemon=True)
                    self._threads.append(thread)
                    thread.start()
        self.hurry()

    def cancelled(self, submission: Submission) -> None:
        """Take note that a submission was cancelled by us."""
        with self._lock:
            watched = self._watched.get(submission.folder)
        if watched is not None:
            watched.cancelled = True
        self.hurry()

    def hurry(self) -> None:
        """Look at once, and often for a while."""
        self._look.set()
        self._ask.set()

    def close(self) -> None:
        """Follow nothing any more."""
        self._closed = True
        self.hurry()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5.0)  # one that waits for a silent controller is left to itself

    def _all(self) -> list[Watched]:
        with self._lock:
            return list(self._watched.values())

    # ------------------------------------------------------------------ the files

    def _follow_files(self) -> None:
        pause, longest = self._files_s
        while not self._closed:
            try:
                news = self._look_once()
            except Exception:  # noqa: BLE001 - one that fails must not leave the others alone
                _LOG.exception("looking after Slurm's jobs failed; it is tried again")
                news = False
            pause = self._files_s[0] if news else min(pause * _GROWTH, longest)
            if self._look.wait(pause):
                self._look.clear()
                pause = self._files_s[0]

    def _look_once(self) -> bool:
        watched = self._all()
        news = False
        for one in watched:
            news = one.read() or news
        while True:
            try:
                self._news.get_nowait()()
            except Empty:
                break
        for one in watched:
            news = one.conclude(self._grace_s) or news
            if one.asks:
                self._ask.set()
        with self._lock:
            for one in watched:
                if one.over:
                    del self._watched[one.submission.folder]
        return news

    # ------------------------------------------------------------------ the queue

    def _follow_queue(self) -> None:
        shortest, longest = self._queue_s
        pause = shortest
        while not self._closed:
            if self._ask.is_set():
                self._ask.clear()
                pause = shortest
            asked = time.monotonic()
            try:
                self._ask_once()
            except SilentError:
                _LOG.info("Slurm's controller does not answer; what runs goes on")
            except Exception:  # noqa: BLE001 - files are looked at all the same
                _LOG.exception("asking Slurm failed; it is tried again")
            pause = min(pause * _GROWTH, longest)
            self._ask.wait(pause)
            rest = asked + shortest - time.monotonic()
            if rest > 0 and not self._closed:  # whatever the hurry, the controller is spared
                time.sleep(rest)

    def _ask_once(self) -> None:
        clusters = {one.submission.cluster for one in self._all()}
        for cluster in clusters:
            states = self._commands.states(cluster)
            self._news.put(lambda c=cluster, s=states: self._learn(c, s))  # type: ignore[misc]
        while not self._missing.empty():
            job, cluster = self._missing.get()
            state = self._commands.fate(job, cluster)
            self._news.put(lambda j=job, s=state: self._learn_fate(j, s))  # type: ignore[misc]
        self._look.set()

    def _learn(self, cluster: str, states: dict[str, JobState]) -> None:
        for one in self._all():
            if one.submission.cluster == cluster:
                for job in one.learn(states):
                    if job not in self._inquired:
                        self._inquired.add(job)
                        self._missing.put((job, cluster))
                        self._ask.set()

    def _learn_fate(self, job: str, state: JobState) -> None:
        self._inquired.discard(job)
        for one in self._all():
            if one.submission.job == job.partition("_")[0]:
                one.learn_fate(job, state)
