"""One submission while it is watched: what its files tell, what Slurm says, and the end of both."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyto.core.layout import BatchLayout, JobLayout
from cyto.core.request import TaskResult
from cyto.runners.batch_files import (
    WITHDRAWN,
    BatchPlan,
    read_json,
    read_plan,
    read_requests,
    write_whole,
)
from cyto.runners.environment import Ending
from cyto.runners.slurm_commands import JobState
from cyto.runners.slurm_endings import ending_of, waiting


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job, or an array of them, that Slurm has taken.

    Parameters
    ----------
    folder
        The batch's.
    name
        The job's name.
    job
        Its number.
    cluster
        The cluster's name, where Slurm named one.
    counts
        How many requests each element has.
    """

    folder: Path
    name: str
    job: str
    cluster: str = ""
    counts: tuple[int, ...]

    def id_of(self, element: int) -> str:
        """Name an element as Slurm does."""
        return self.job if len(self.counts) == 1 else f"{self.job}_{element}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """How one request of a submission ended; each is told once.

    Parameters
    ----------
    submission, element, index
        Which one.
    result
        How it ended, with absolute paths.
    begun
        Whether it ever got its turn; one that did not may be asked again at no one's cost.
    job, node
        Slurm's number, and where it ran, as far as known.
    """

    submission: Submission
    element: int
    index: int
    result: TaskResult
    begun: bool = True
    job: str = ""
    node: str = ""


_HURRY_S = 15.0
Told = Callable[[Report], None]
Said = Callable[[Submission, str], None]


@dataclass
class _Element:
    number: int
    count: int
    answered: int = 0
    offset: int = 0
    node: str = ""
    started: bool = False
    last_word: int | None = None
    spoke_at: float = 0.0
    fault: str = ""
    state: JobState | None = None
    ended_at: float | None = None
    misses: int = 0

    @property
    def over(self) -> bool:
        return self.answered >= self.count


@dataclass
class Watched:
    """What is known of one submission; used by one thread alone."""

    submission: Submission
    told: Told
    said: Said | None = None
    cancelled: bool = field(default=False, init=False)
    _elements: list[_Element] = field(init=False)
    _open: int = field(init=False)
    _text: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._layout = BatchLayout(self.submission.folder)
        self._elements = [_Element(i, n) for i, n in enumerate(self.submission.counts)]
        self._open = sum(not element.over for element in self._elements)
        self.cancelled = read_json(self._layout.submission).get("state") == WITHDRAWN

    @property
    def over(self) -> bool:
        """Whether every request has been told of."""
        return self._open == 0

    @property
    def asks(self) -> bool:
        """Whether an element ended just now, and only Slurm can say how."""
        since = time.monotonic() - _HURRY_S
        return any(
            e.last_word is not None and e.spoke_at > since and not e.over for e in self._elements
        )

    # ------------------------------------------------------------------ its files

    def read(self) -> bool:
        """Read what the elements have told since; tell whether that was anything."""
        if any(e.ended_at is not None and not e.over for e in self._elements):
            self._refresh()
        news = False
        with contextlib.suppress(FileNotFoundError), os.scandir(self._layout.progress) as entries:
            for entry in entries:
                element = self._element(entry.name)
                if element and not element.over and entry.stat().st_size > element.offset:
                    news = self._read(element) or news
        return news

    def _refresh(self) -> None:
        """Make a network file system look again: what changes a folder ends what it remembers."""
        with contextlib.suppress(OSError):
            mark = self._layout.progress / f".look-{os.getpid()}"
            mark.touch()
            mark.unlink()

    def _element(self, name: str) -> _Element | None:
        number = int(name) if name.isdigit() else -1
        return self._elements[number] if 0 <= number < len(self._elements) else None

    def _read(self, element: _Element) -> bool:
        with open(self._layout.told(element.number), "rb") as file:
            file.seek(element.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        element.offset += len(whole)
        for line in whole.splitlines():
            self._hear(element, json.loads(line))
        return bool(whole)

    def _hear(self, element: _Element, line: Mapping[str, Any]) -> None:
        if "started" in line:
            element.started, element.last_word = True, None
            element.node = line["started"]["node"] or line["started"]["host"]
        elif "ended" in line:
            element.last_word, element.fault = line["ended"], line.get("fault", "")
            element.spoke_at = time.monotonic()
        elif line["index"] == element.answered:
            self._tell(element, TaskResult.from_json(line["result"]))

    def _tell(self, element: _Element, result: TaskResult, *, begun: bool = True) -> None:
        report = Report(
            submission=self.submission,
            element=element.number,
            index=element.answered,
            result=result,
            begun=begun,
            job=self.submission.id_of(element.number),
            node=element.node,
        )
        element.answered += 1
        self._open -= element.over
        self.told(report)

    # ---------------------------------------------------------------- Slurm's word

    def learn(self, states: Mapping[str, JobState]) -> Iterator[str]:
        """Take what the queue holds; give the jobs of which more must be known."""
        for element in self._elements:
            if element.over:
                continue
            job = self.submission.id_of(element.number)
            if job in states:
                element.misses = 0
                self._learn(element, states[job])
                if states[job].ended and element.last_word is None:
                    yield job  # the queue does not say its exit code
            else:
                element.misses += 1
                if element.misses > 1:
                    yield job
        self._say()

    def learn_fate(self, job: str, state: JobState) -> None:
        """Take what was found out about one job."""
        for element in self._elements:
            known = state.state != "UNKNOWN" or element.ended_at is None
            if self.submission.id_of(element.number) == job and not element.over and known:
                self._learn(element, state)

    def _learn(self, element: _Element, state: JobState) -> None:
        element.state = state
        element.node = state.node or element.node
        if not state.ended:
            element.ended_at = None
        elif element.ended_at is None:
            element.ended_at = time.monotonic()

    def _say(self) -> None:
        found = [
            (self.submission.id_of(e.number), e.state)
            for e in self._elements
            if not e.over and e.state is not None and not e.state.ended
        ]
        text = waiting(found)
        if text != self._text and self.said is not None:
            self._text = text
            self.said(self.submission, text)

    # ------------------------------------------------------------------- the end

    def conclude(self, grace_s: float) -> bool:
        """Settle what can have no answer any more; tell whether that was anything.

        Parameters
        ----------
        grace_s
            How long after its end the files of a job may take to appear here.
        """
        found = False
        for element in self._elements:
            if not element.over and (ending := self._ending(element, grace_s)):
                self._settle(element, ending)
                found = True
        return found

    def _ending(self, element: _Element, grace_s: float) -> Ending | None:
        spoke, state = element.last_word is not None, element.state
        if spoke and self.cancelled:
            return Ending(reason="cancelled", message="was stopped")
        if element.fault:
            state = state or JobState(state="FAILED")
        elif state is None or not self._final(element, state, grace_s):
            return None
        if self.cancelled:
            return Ending(reason="cancelled", message="was stopped")
        return ending_of(
            state,
            job=self.submission.id_of(element.number),
            placement=self._plan.spec.placement,
            requests=max(self.submission.counts),
            log=self._layout.log(element.number),
            fault=element.fault,
        )

    @staticmethod
    def _final(element: _Element, state: JobState, grace_s: float) -> bool:
        """Tell whether nothing can come any more: it has ended, and so have its files."""
        if element.ended_at is None:
            return False
        silent = element.last_word is None and bool(state.node or element.started)
        return not silent or time.monotonic() - element.ended_at >= grace_s

    @property
    def _plan(self) -> BatchPlan:
        return read_plan(self._layout)

    def _settle(self, element: _Element, ending: Ending) -> None:
        """Answer in the element's stead; only the request that had its turn is to blame."""
        requests = read_requests(self._layout, self._plan, element.number)
        begun = element.started
        while not element.over:
            message = ending.message if begun else f"did not get its turn: {ending.message}"
            result = TaskResult(reason=ending.reason, message=message)
            with contextlib.suppress(OSError):  # its folder may be gone; the report counts
                path = JobLayout(Path(requests[element.answered].folder)).result
                write_whole(path, result.to_json())
            self._tell(element, result, begun=begun)
            begun = False
