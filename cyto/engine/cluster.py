"""Jobs on a cluster: submitted as arrays, followed, tried again, taken up after a lost driver."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from cyto.core.layout import JobLayout, RunLayout
from cyto.core.request import TaskResult
from cyto.engine.claims import Claim, Claims
from cyto.engine.job import Job, JobMaker, join_logs
from cyto.engine.outcomes import NodeReport
from cyto.engine.plan import Node
from cyto.engine.pool import WorkerPool
from cyto.engine.record import RunRecord
from cyto.engine.results import Results
from cyto.errors import CytoError, UnavailableError
from cyto.runners.slurm import Batch, Report, Slurm, Submission, packed

_THREADS = 4
_LOST = ("node", "preempted")
_PATIENCE = 3
"""How often work is submitted again that the cluster, not the task, let down."""


@dataclass(kw_only=True)
class _Work:
    """A node on the cluster, from its first submission to its report."""

    job: Job
    order: int
    since: float = field(default_factory=time.monotonic)
    open: int = 0
    again: list[_Unit] = field(default_factory=list)
    failed: list[tuple[_Unit, TaskResult]] = field(default_factory=list)
    whole: tuple[TaskResult, JobLayout] | None = None
    logs: list[tuple[str, JobLayout]] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class _Unit:
    """One request: a node, or a chunk of it."""

    work: _Work
    chunk: int | None
    attempt: int = 0
    folder: JobLayout = field(default_factory=lambda: JobLayout(Path()))


@dataclass(kw_only=True)
class _Followed:
    """A submission and whose its requests are; what nobody has claimed yet waits."""

    submission: Submission
    units: dict[tuple[int, int], _Unit] = field(default_factory=dict)
    early: dict[tuple[int, int], Report] = field(default_factory=dict)
    left: int = 0

    def __post_init__(self) -> None:
        self.left = sum(self.submission.counts)


class ClusterRunner:
    """Run nodes through Slurm; from one thread, which never waits for a job.

    Parameters
    ----------
    layout, maker, results, pool, record
        The run's.
    done
        Called with the report of each node, from any thread.
    stop
        When set, nothing is tried again.
    """

    def __init__(
        self,
        layout: RunLayout,
        maker: JobMaker,
        results: Results,
        pool: WorkerPool,
        record: RunRecord,
        done: Callable[[NodeReport], None],
        stop: threading.Event,
    ) -> None:
        self._layout, self._maker, self._results = layout, maker, results
        self._pool, self._record, self._done, self._stop = pool, record, done, stop
        self._slurm = Slurm()
        self._claims = Claims(layout.submissions)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cluster")
        self._lock, self._adopting = threading.Lock(), threading.Lock()
        self._numbers, self._orders = itertools.count(1), itertools.count()
        self._beginning = 0
        self._grouped: dict[str, list[_Unit]] = {}
        self._followed: dict[Path, _Followed] = {}

    def start(self, node: Node) -> None:
        """Submit a node whose dependencies have succeeded, unless its result is there."""
        with self._lock:
            self._beginning += 1
        self._threads.submit(self._start, node, next(self._orders))

    def flush(self) -> None:
        """Submit the nodes that wait to share a job, when no more can come at once."""
        with self._lock:
            if self._beginning or not self._grouped:
                return
            groups, self._grouped = self._grouped, {}
        for units in groups.values():
            self._threads.submit(self._submit, sorted(units, key=lambda unit: unit.work.order))

    def cancel(self) -> None:
        """Cancel all jobs; each node is reported when its jobs have ended."""
        with self._lock:
            waiting = [unit for units in self._grouped.values() for unit in units]
            self._grouped = {}
            followed = list(self._followed.values())
        for unit in waiting:
            self._ended(unit, TaskResult(reason="cancelled", message="was not started"))
        for each in followed:
            self._threads.submit(self._cancel, each.submission)

    def close(self) -> None:
        """Stop following; what was submitted and not cancelled goes on."""
        self._slurm.close()
        self._threads.shutdown(cancel_futures=True)

    def _start(self, node: Node, order: int) -> None:
        end = self._results.guarded(node, lambda: self._begin(node, order))
        with self._lock:
            self._beginning -= 1
        if end is not None:
            self._done(end)

    def _begin(self, node: Node, order: int) -> NodeReport | None:
        """Submit a node, or put it where it waits for others; give its report if it has ended."""
        job = self._maker.prepare(node)
        if isinstance(job, NodeReport):
            return job
        work = _Work(job=job, order=order)
        if self._adopt(work):
            return None
        if job.parts is not None and not job.left:
            return self._maker.finish(job)
        chunks: Iterable[int | None] = sorted(job.left) if job.parts is not None else [None]
        units = [_Unit(work=work, chunk=chunk) for chunk in chunks]
        work.open = len(units)
        if node.placement.group is None:
            self._submit(units)
            return None
        with self._lock:
            self._grouped.setdefault(str(replace(node.placement, source="")), []).extend(units)
        return None

    def _submit(self, units: Sequence[_Unit]) -> None:
        """Ask Slurm for one job or array that runs *units*."""
        node = units[0].work.job.node
        number = next(self._numbers)
        name = f"{re.sub('[^A-Za-z0-9_.-]', '.', node.name)[:64]}.{self._layout.run_id}.{number}"
        folder = self._layout.batches / f"{number:05}"
        try:
            for unit in units:
                job, chunk = unit.work.job, unit.chunk
                unit.folder = self._pool.job(job.node, unit.attempt, job.span(chunk))
            elements = self._elements(units)
            self._claim(folder, elements)
            submission = self._slurm.submit(
                Batch(
                    name=name,
                    folder=folder,
                    spec=self._pool.spec(node, f"job-{number}"),
                    elements=[
                        [u.work.job.request(u.folder.folder, u.chunk) for u in element]
                        for element in elements
                    ],
                    max_parallel=node.placement.max_parallel,
                )
            )
        except (CytoError, OSError) as error:
            for unit in units:
                self._ended(unit, TaskResult(reason="refused", message=str(error)))
            return
        self._record.write(
            "submitted",
            nodes=list(dict.fromkeys(unit.work.job.node.name for unit in units)),
            job=submission.job,
            elements=len(elements),
            requests=len(units),
            script=str(folder / "submit.sh"),
        )
        places = {(e, i): u for e, units in enumerate(elements) for i, u in enumerate(units)}
        self._follow(_Followed(submission=submission, units=places))

    def _elements(self, units: Sequence[_Unit]) -> list[list[_Unit]]:
        """Spread units over the elements of an array, those of a group over as few as it says."""
        group = units[0].work.job.node.placement.group
        count = len(units) if group is None else 1 if group == 0 else -(-len(units) // group)
        return packed(units, count if count == 1 else min(count, self._slurm.max_elements()))

    def _claim(self, folder: Path, elements: Sequence[Sequence[_Unit]]) -> None:
        """Note where each node's requests are, for whoever comes after this driver."""
        claims: dict[str, Claim] = {}
        for e, element in enumerate(elements):
            for i, unit in enumerate(element):
                job = unit.work.job
                claim = claims.setdefault(
                    job.id, Claim(folder=folder, ranges=job.parts.ranges if job.parts else ())
                )
                claim.places.append((job.span(unit.chunk), e, i, unit.folder.folder))
        for name, claim in claims.items():
            self._claims.write(name, claim)

    def _adopt(self, work: _Work) -> bool:
        """Go on with what an earlier driver submitted for the same work; tell whether there is."""
        job, claim = work.job, self._claims.read(work.job.id)
        if claim is None:
            return False
        followed = self._adopted(claim.folder)
        if followed is None:
            self._claims.remove(job.id)
            return False
        if not claim.ranges:
            job.parts, job.left = None, set()
        elif job.parts is None or claim.ranges != job.parts.ranges:
            self._maker.split(job, claim.ranges)
        places = self._claimed(work, claim)
        if not places:
            self._claims.remove(job.id)
            return False
        rest = job.left - {unit.chunk for unit in places.values()}
        work.again = [_Unit(work=work, chunk=chunk) for chunk in sorted(rest)]
        work.open = len(places)
        number = followed.submission.job
        self._record.write("adopted", node=job.node.name, job=number, requests=len(places))
        self._follow_more(followed, places)
        return True

    def _adopted(self, folder: Path) -> _Followed | None:
        """Follow what was submitted from *folder*, once for all nodes that have requests there."""
        with self._adopting:
            with self._lock:
                followed = self._followed.get(folder)
            if followed is None:
                submission = self._slurm.adopt(folder)
                if submission is None:
                    return None
                followed = _Followed(submission=submission)
                self._follow(followed)
            return followed

    @staticmethod
    def _claimed(work: _Work, claim: Claim) -> dict[tuple[int, int], _Unit]:
        """Give the requests of a claim of which the results are still to come."""
        job, places = work.job, {}
        for span, element, index, folder in claim.places:
            chunk = None if span is None or job.parts is None else job.parts.ranges.index(span)
            if chunk is None or chunk in job.left:
                unit = _Unit(work=work, chunk=chunk, folder=JobLayout(folder))
                places[element, index] = unit
        return places

    def _follow(self, followed: _Followed) -> None:
        with self._lock:
            self._followed[followed.submission.folder] = followed
        self._slurm.watch(followed.submission, self._told, self._said)
        if self._stop.is_set():  # it came while everything was being cancelled
            self._threads.submit(self._cancel, followed.submission)

    def _follow_more(self, followed: _Followed, more: dict[tuple[int, int], _Unit]) -> None:
        """Let further requests of a submission be told of, those told already at once."""
        with self._lock:
            told = [(unit, followed.early.pop(place)) for place, unit in more.items()
                    if place in followed.early]  # fmt: skip
            followed.units.update(more)
        for unit, report in told:
            self._threads.submit(self._report, unit, report)

    def _told(self, report: Report) -> None:
        place = (report.element, report.index)
        with self._lock:
            followed = self._followed[report.submission.folder]
            followed.left -= 1
            unit = followed.units.pop(place, None)
            if unit is None:
                followed.early[place] = report
            if not followed.left and not followed.early:
                del self._followed[report.submission.folder]
        if unit is not None:
            self._threads.submit(self._report, unit, report)

    def _said(self, submission: Submission, text: str) -> None:
        self._record.write("waiting", job=submission.job, text=text)

    def _report(self, unit: _Unit, report: Report) -> None:
        where = {"slurm_job": report.job, "host": report.node}
        self._ended(unit, report.result, begun=report.begun, **where)

    def _ended(self, unit: _Unit, result: TaskResult, *, begun: bool = True, **where: str) -> None:
        """Take in the result of a unit; the last one of a node ends it, or submits again."""
        node = unit.work.job.node
        end = self._results.guarded(
            node, lambda: self._take_in(unit, result, begun=begun, where=where)
        )
        if end is not None:
            self._claims.remove(unit.work.job.id)
            self._pool.done(node)
            self._done(end)

    def _take_in(
        self, unit: _Unit, result: TaskResult, *, begun: bool, where: dict[str, str]
    ) -> NodeReport | None:
        work, job = unit.work, unit.work.job
        if unit.chunk is not None:
            self._maker.chunk_ended(job, unit.chunk, result, **where)
        with job.lock:
            work.open -= 1
            if unit.folder.folder != Path():
                work.logs.append((job.words(unit.chunk), unit.folder))
            if result.ok:
                work.whole = result, unit.folder
            elif self._worth_another(unit, result, begun):
                work.again.append(_Unit(work=work, chunk=unit.chunk, attempt=unit.attempt + 1))
                self._record.write(
                    "attempt_failed", node=job.node.name, attempt=unit.attempt,
                    message=job.words(unit.chunk) + result.message,
                )  # fmt: skip
            else:
                work.failed.append((unit, result))
            if work.open:
                return None
            again, work.again = work.again, []
            if again and not work.failed:
                work.open = len(again)
        join_logs(work.logs, self._layout.log(job.node.name))
        if work.failed:
            return self._failed(work)
        if again:
            self._submit(again)
            return None
        return self._succeeded(work)

    def _worth_another(self, unit: _Unit, result: TaskResult, begun: bool) -> bool:
        """Tell whether a failure is the cluster's, or the node allows another attempt."""
        if self._stop.is_set() or result.reason in {"refused", "cancelled"}:
            return False
        retries = unit.work.job.node.retries
        let_down = result.reason in _LOST or not begun
        return unit.attempt < (max(retries, _PATIENCE) if let_down else retries)

    def _succeeded(self, work: _Work) -> NodeReport:
        if work.job.parts is not None:
            report = self._maker.finish(work.job)
            return replace(report, wall_s=time.monotonic() - work.since)
        if work.whole is None:
            raise ValueError(f"{work.job.node.name} has no result")
        result, folder = work.whole
        return self._results.publish(work.job, result, folder.out)

    def _failed(self, work: _Work) -> NodeReport:
        unit, result = work.failed[0]
        words = "" if self._stop.is_set() else work.job.words(unit.chunk)
        if words and len(work.failed) > 1 and work.job.parts is not None:
            total = len(work.job.parts.ranges)
            words = f"{len(work.failed)} of {total} chunks failed; {words}"
        told = replace(result, message=words + result.message)
        folder = unit.folder.folder
        return self._results.failed(work.job.node, told, folder, self._stop.is_set())

    def _cancel(self, submission: Submission) -> None:
        try:
            self._slurm.cancel(submission)
        except UnavailableError as error:
            self._record.write("waiting", job=submission.job, text=f"cannot cancel: {error}")
