"""A node made ready: its inputs, its key, the chunks that are left, and what a worker is asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cyto._typing import JSON
from cyto.core.layout import JobLayout, RunLayout
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest, TaskResult
from cyto.engine.chunks import Parts, Range, chunk_ranges
from cyto.engine.claims import Claims, Leftovers
from cyto.engine.fingerprint import (
    code_digest,
    identity_of,
    node_parts,
    parts_key,
    path_digests,
)
from cyto.engine.inputs import ChannelReader, Given, gather
from cyto.engine.outcomes import NodeReport
from cyto.engine.plan import Node
from cyto.engine.record import RunRecord
from cyto.engine.results import Results


@dataclass(kw_only=True)
class Job:
    """A node that is to be computed.

    Parameters
    ----------
    node, key, given
        The node, its key in the store, and what it is given.
    hashed
        What the key is the hash of.
    fresh
        Whether it is computed again though its result may be there.
    parts
        Its chunks; ``None`` where it runs as a whole.
    left
        The chunks that are still to be computed.
    """

    node: Node
    key: str
    given: Given
    hashed: Mapping[str, JSON] = field(default_factory=dict)
    fresh: bool = False
    parts: Parts | None = None
    left: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """See `job_id`."""
        return job_id(self.key, self.node)

    def request(self, folder: Path, chunk: int | None = None) -> TaskRequest:
        """Say what a worker is asked, for the whole or for one chunk."""
        node, split = self.node, self.parts is not None and chunk is not None
        return TaskRequest(
            task=node.task,
            params=node.params,
            inputs=self.given.refs,
            folder=str(folder),
            node=node.name,
            frames=self.span(chunk) if split else None,
            into=str(self.parts.folder) if self.parts is not None and split else "",
            seed=node.seed,
            path_params=node.path_params,
            code=node.code,
        )

    def span(self, chunk: int | None) -> Range | None:
        """Give the frames of a chunk."""
        return None if self.parts is None or chunk is None else self.parts.ranges[chunk]

    def words(self, chunk: int | None) -> str:
        """Name a chunk for people."""
        span = self.span(chunk)
        if span is None:
            return ""
        first, last = span[0], span[1] - 1
        return f"frame {first}: " if first == last else f"frames {first} to {last}: "


def job_id(key: str, node: Node) -> str:
    """Name a job by its key, and by its node: two nodes may have the same key."""
    return f"{key}-{hashlib.sha256(node.name.encode()).hexdigest()[:8]}"


class JobMaker:
    """Make nodes ready whose dependencies have succeeded.

    Parameters
    ----------
    layout, results, channels, record
        The run's.
    fresh
        Nodes that are computed again, whatever is there of them.
    """

    def __init__(
        self,
        layout: RunLayout,
        results: Results,
        channels: ChannelReader,
        record: RunRecord,
        fresh: frozenset[str] = frozenset(),
    ) -> None:
        self._layout, self._results = layout, results
        self._channels, self._record, self._fresh = channels, record, fresh
        self._leftovers = Leftovers(Claims(layout.submissions))
        self._identities: dict[tuple[object, ...], str] = {}
        self._codes: dict[tuple[object, ...], str] = {}

    def prepare(self, node: Node) -> Job | NodeReport:
        """Give the job, or the report of a node whose result is there.

        Raises
        ------
        CytoError
            What comes in does not fit, or a file cannot be read.
        """
        given = gather(node, self._results.entries, self._channels)
        identity = self._identity(node.placement)
        files = path_digests(node)
        hashed = node_parts(node, given.digests, identity, files, self._code(node))
        key, fresh = parts_key(hashed), node.name in self._fresh
        self._leftovers.give_up(job_id(key, node), keep=node.placement.launcher != "local")
        found = None if fresh else self._results.find(node, key)
        if found is not None:
            return found
        job = Job(node=node, key=key, hashed=hashed, given=given, fresh=fresh)
        ranges = chunk_ranges(node, given.refs)
        if ranges:
            self.split(job, ranges)
        return job

    def split(self, job: Job, ranges: tuple[Range, ...]) -> None:
        """Part a job into chunks; those that an earlier run did are not left to do."""
        job.parts = Parts(self._layout.parts / job.id, ranges)
        if job.fresh and not (self._layout.submissions / f"{job.id}.json").exists():
            job.parts.discard()
            job.parts = Parts(self._layout.parts / job.id, ranges)
        job.left = set(job.parts.missing())

    def chunk_ended(self, job: Job, chunk: int, result: TaskResult, **facts: str) -> bool:
        """Keep the result of a chunk that succeeded, and record its end.

        Returns
        -------
        Whether it was the last one that was missing: true for one caller alone.
        """
        last = False
        if result.ok and job.parts is not None:
            job.parts.add(chunk, result)
            with job.lock:
                job.left.discard(chunk)
                last = not job.left
        self._record.write(
            "chunk_finished",
            node=job.node.name,
            chunk=chunk,
            frames=job.span(chunk),
            reason=result.reason,
            message=result.message,
            wall_s=result.wall_s,
            cpu_s=result.cpu_s,
            peak_bytes=result.peak_bytes,
            **facts,
        )
        return last

    def finish(self, job: Job) -> NodeReport:
        """Publish a job of which all chunks are done."""
        if job.parts is None:
            raise ValueError(f"{job.node.name} has no chunks")
        report = self._results.publish(job, job.parts.join(), job.parts.out)
        job.parts.discard()
        return report

    def _identity(self, placement: Placement) -> str:
        """Ask each environment once per image: the answer costs a process."""
        key = placement.environment, placement.image, placement.packages
        if key not in self._identities:
            self._identities[key] = identity_of(placement)
        return self._identities[key]

    def _code(self, node: Node) -> str:
        """Ask for the code of a task once in a run: warm workers load it once, too."""
        key = node.task, node.code
        if key not in self._codes:
            self._codes[key] = code_digest(node.task, node.code)
        return self._codes[key]


def share_log(log: Path, shown: Path) -> bool:
    """Let the job's log be the node's log too while it grows; tell whether that worked."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(shown)  # noqa: PTH108 - quicker than a path's own, once for every node
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
    try:
        os.link(log, shown)
    except OSError:  # a file system without hard links
        return False
    return True


def join_logs(jobs: list[tuple[str, JobLayout]], shown: Path) -> None:
    """Write the logs of a node's jobs, each under its chunk's name, into the node's log."""
    shown.unlink(missing_ok=True)
    with shown.open("w", encoding="utf-8") as file:
        for name, job in sorted(jobs, key=lambda named: named[1].folder):
            try:
                text = job.log.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if text:
                file.write(f"== {name.rstrip(': ')} ==\n{text}" if name else text)
