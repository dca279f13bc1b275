"""Jobs on this machine: each on a worker of the pool, any number at once."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from dataclasses import dataclass, field, replace

from cyto.core.layout import JobLayout, RunLayout
from cyto.core.request import TaskResult
from cyto.engine.job import Job, JobMaker, join_logs, share_log
from cyto.engine.outcomes import NodeReport
from cyto.engine.plan import Node
from cyto.engine.pool import WorkerPool
from cyto.engine.record import RunRecord
from cyto.engine.results import Results


@dataclass(frozen=True, kw_only=True)
class Split:
    """A node that is to be handed out in chunks, at most *limit* at once."""

    node: str
    chunks: tuple[int, ...]
    limit: int | None


@dataclass(frozen=True, kw_only=True)
class ChunkEnd:
    """A chunk that ended; *report* is its node's, when the node ended with it."""

    node: str
    chunk: int
    report: NodeReport | None


@dataclass(kw_only=True)
class _Running:
    """A node of which chunks run: those not begun, and the jobs of those that ended."""

    job: Job
    waiting: int
    since: float = field(default_factory=time.monotonic)
    ended: bool = False
    jobs: list[tuple[str, JobLayout]] = field(default_factory=list)


class LocalRunner:
    """Run nodes and chunks: from a thread each, any number at once.

    Parameters
    ----------
    layout, maker, results, pool, record
        The run's.
    stop
        When set, what runs is ended and reported as cancelled.
    """

    def __init__(
        self,
        layout: RunLayout,
        maker: JobMaker,
        results: Results,
        pool: WorkerPool,
        record: RunRecord,
        stop: threading.Event,
    ) -> None:
        self._layout, self._maker, self._results = layout, maker, results
        self._pool, self._record, self._stop = pool, record, stop
        self._running: dict[str, _Running] = {}

    def run(self, node: Node, gpu_ids: tuple[str, ...]) -> NodeReport | Split:
        """Run one node whose dependencies have succeeded, or say that it is to be split.

        Every end is a report, none raises.
        """
        started = time.monotonic()
        end = self._results.guarded(node, lambda: self._run(node, gpu_ids))
        if isinstance(end, Split):
            return end
        self._pool.done(node)
        return replace(end, wall_s=end.wall_s or time.monotonic() - started)

    def run_chunk(self, node: Node, chunk: int, gpu_ids: tuple[str, ...]) -> ChunkEnd:
        """Run one chunk of a node that was split; the last one publishes the whole."""
        running = self._running[node.name]
        with running.job.lock:
            if running.ended:
                return ChunkEnd(node=node.name, chunk=chunk, report=None)
            running.waiting -= 1
        end = self._results.guarded(node, lambda: self._run_chunk(running, chunk, gpu_ids))
        if isinstance(end, NodeReport):  # it raised
            end = ChunkEnd(node=node.name, chunk=chunk, report=self._last(running, end))
        self._pool.done(node)
        return end

    def _run(self, node: Node, gpu_ids: tuple[str, ...]) -> NodeReport | Split:
        job = self._maker.prepare(node)
        if isinstance(job, NodeReport):
            return job
        if job.parts is None:
            result, folder = self._tried(job, gpu_ids, None)
            if result.ok:
                return self._results.publish(job, result, folder.out)
            return self._results.failed(node, result, folder.folder, self._stop.is_set())
        if not job.left:
            return self._maker.finish(job)
        chunks = tuple(sorted(job.left))
        self._pool.expect(node, len(chunks))
        self._running[node.name] = _Running(job=job, waiting=len(chunks))
        self._record.write(
            "node_split", node=node.name, chunks=len(job.parts.ranges), left=len(chunks)
        )
        return Split(node=node.name, chunks=chunks, limit=node.placement.max_parallel)

    def _run_chunk(self, running: _Running, chunk: int, gpu_ids: tuple[str, ...]) -> ChunkEnd:
        job, report = running.job, None
        result, folder = self._tried(job, gpu_ids, chunk)
        with job.lock:
            running.jobs.append((job.words(chunk), folder))
        last = self._maker.chunk_ended(job, chunk, result)
        if not result.ok:
            stopped = self._stop.is_set()
            words = "" if stopped else job.words(chunk)
            told = replace(result, message=words + result.message)
            report = self._results.failed(job.node, told, folder.folder, stopped)
        elif last:  # first the log: what is published is never run again
            join_logs(running.jobs, self._layout.log(job.node.name))
            report = replace(self._maker.finish(job), wall_s=time.monotonic() - running.since)
        return ChunkEnd(
            node=job.node.name, chunk=chunk, report=report and self._last(running, report)
        )

    def _last(self, running: _Running, report: NodeReport) -> NodeReport | None:
        """Let *report* end a node, unless it has ended already."""
        node = running.job.node
        with running.job.lock:
            if running.ended:
                return None
            running.ended = True
        self._pool.done(node, running.waiting)
        with contextlib.suppress(OSError):  # such as a full disk; each chunk's log is still there
            join_logs(running.jobs, self._layout.log(node.name))
        return report

    def _tried(
        self, job: Job, gpu_ids: tuple[str, ...], chunk: int | None
    ) -> tuple[TaskResult, JobLayout]:
        """Run a job, again after a failure as often as its node allows."""
        for attempt in range(job.node.retries + 1):
            result, folder = self._attempt(job, gpu_ids, chunk, attempt)
            if result.ok or self._stop.is_set() or attempt == job.node.retries:
                break
            self._record.write(
                "attempt_failed", node=job.node.name, attempt=attempt, message=result.message
            )
        return result, folder

    def _attempt(
        self, job: Job, gpu_ids: tuple[str, ...], chunk: int | None, attempt: int
    ) -> tuple[TaskResult, JobLayout]:
        node = job.node
        folder = self._pool.job(node, attempt, job.span(chunk))
        log = folder.log if chunk is not None else self._layout.log(node.name)
        shared = chunk is not None or share_log(folder.log, log)
        worker = self._pool.acquire(node, gpu_ids)
        self._record.write(
            "node_started" if chunk is None else "chunk_started",
            node=node.name,
            **({} if chunk is None else {"chunk": chunk}),
            attempt=attempt,
            job=str(folder.folder),
            log=str(log),
            worker=worker.spec.name,
            gpus=list(gpu_ids),
        )
        try:
            result = worker.run(job.request(folder.folder, chunk), stop=self._stop)
        except BaseException:
            worker.close(patience_s=0)
            raise
        finally:
            self._pool.release(worker)
        if not shared and folder.log.exists():
            shutil.copyfile(folder.log, log)
        return result, folder
