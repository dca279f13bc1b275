"""Warm workers: processes that wait for the next node with the same surroundings."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.core.layout import JobLayout, RunLayout
from cyto.core.placement import Placement
from cyto.engine.plan import Node
from cyto.runners.environment import WorkerSpec, get_environment
from cyto.runners.machine import Machine
from cyto.runners.worker import Worker, worker_spec

if TYPE_CHECKING:
    from cyto.io.channels import Channel

_MOUNTS = 64
_PATIENCE_S = 0.1
"""How long a node waits for another's container before it gets its own."""
_LOOK_S = 0.02


@dataclass(kw_only=True)
class _Group:
    """Nodes that may share a worker, and the workers that wait for them."""

    name: str
    placement: Placement
    left: int = 0
    started: int = 0
    readable: set[str] = field(default_factory=set)
    writable: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    code: set[str] = field(default_factory=set)
    idle: list[Worker] = field(default_factory=list)


class WorkerPool:
    """Give each node a worker, a waiting one where there is one.

    Nodes share workers when their placement is the same. A group's workers end when no node of it
    is left, and earlier when their memory or their GPU is wanted by another. A second container
    starts only once the first one runs and has been busy for a moment: starting it takes longer
    than many a node, and more processor time than that.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        channels: Mapping[str, Channel],
        layout: RunLayout,
        machine: Machine,
    ) -> None:
        self._layout = layout
        self._machine = machine
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._groups: dict[Placement, _Group] = {}
        self._busy: dict[Worker, _Group] = {}
        self._by_node: dict[str, _Group] = {}
        for node in nodes:
            group = self._by_node[node.name] = self._group_of(node)
            group.left += 1
            group.code.update(node.code)
            group.readable.add(str(layout.store))
            if node.framewise and node.placement.batch_size:
                group.writable.add(str(layout.parts))
            group.readable.update(str(node.params[name]) for name in node.path_params)
            for source in node.inputs.values():
                # a channel of one file may be mapped where it lies; others pass through the store
                channel = channels.get(source.name) if source.is_channel else None
                if channel is not None and len(channel.files) == 1:
                    group.images.update(map(os.path.realpath, channel.files))

    def job(self, node: Node, attempt: int, span: tuple[int, int] | None = None) -> JobLayout:
        """Make the folder of a job: a node's, or that of some frames of it."""
        name = node.name if span is None else f"{node.name}/{span[0]:06}-{span[1]:06}"
        name += f".retry{attempt}" if attempt else ""
        job = self._layout.job(self._group(node).name, name)
        job.folder.mkdir(parents=True)
        return job

    def spec(self, node: Node, name: str) -> WorkerSpec:
        """Describe a worker for *node* that somebody else starts, under a name of its own."""
        with self._lock:
            spec = self._spec(self._group(node), name, ())
        return _placed(spec, node)

    def acquire(self, node: Node, gpu_ids: tuple[str, ...]) -> Worker:
        """Give a worker for *node*, to be released after one job."""
        with self._lock:
            group = self._group(node)
            waiting = self._waiting(group, gpu_ids)
            if waiting is not None:
                group.idle.remove(waiting)
                self._busy[waiting] = group
                return _for(waiting, node)
            group.started += 1
            worker = _for(self._make(group, gpu_ids), node)
            in_the_way = self._make_room(group, gpu_ids)
            self._busy[worker] = group
        for other in in_the_way:
            other.close()
        return worker

    def _waiting(self, group: _Group, gpu_ids: tuple[str, ...]) -> Worker | None:
        """Give a worker that waits, or will in a moment; ``None`` when another is to be started."""
        busy_since: float | None = None
        while True:
            for worker in group.idle:
                if worker.spec.gpu_ids == gpu_ids:
                    return worker
            others = [
                worker
                for worker, its in self._busy.items()
                if its is group and worker.spec.gpu_ids == gpu_ids
            ]
            if not others or not _worth_waiting(group.placement):
                return None
            now = time.monotonic()
            if busy_since is None and any(worker.ready for worker in others):
                busy_since = now
            if busy_since is not None and now - busy_since > _PATIENCE_S:
                return None
            self._freed.wait(_LOOK_S)

    def release(self, worker: Worker) -> None:
        """Take a worker back; one that died is forgotten."""
        with self._lock:
            self._freed.notify()
            group = self._busy.pop(worker)
            wanted = not _used_up(worker) and group.left > len(group.idle)
            if worker.alive and wanted:
                worker.waiting_since = time.monotonic()
                group.idle.append(worker)
                return
        worker.close()

    def expect(self, node: Node, chunks: int) -> None:
        """Note that so many chunks of *node* need a worker in its place."""
        with self._lock:
            self._group(node).left += chunks - 1

    def done(self, node: Node, count: int = 1) -> None:
        """Note that *node*, or so many chunks of it, need no worker any more."""
        with self._lock:
            group = self._group(node)
            group.left -= count
            spare = group.idle[group.left :]
            del group.idle[group.left :]
        for worker in spare:
            worker.close()

    def reap(self) -> None:
        """End the workers that have waited for too long."""
        now = time.monotonic()
        with self._lock:
            late = [
                (group, worker)
                for group in self._groups.values()
                for worker in group.idle
                if now - worker.waiting_since > group.placement.max_idle_s
            ]
            for group, worker in late:
                group.idle.remove(worker)
        for _, worker in late:
            threading.Thread(target=worker.close).start()

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            workers = [worker for group in self._groups.values() for worker in group.idle]
            workers += self._busy
            for group in self._groups.values():
                group.idle.clear()
        threads = [threading.Thread(target=worker.close) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _group(self, node: Node) -> _Group:
        return self._by_node[node.name]

    def _group_of(self, node: Node) -> _Group:
        key = _shared(node.placement)
        if key not in self._groups:
            name = f"{key.environment}-{len(self._groups)}"
            self._groups[key] = _Group(name=name, placement=key)
        return self._groups[key]

    def _make(self, group: _Group, gpu_ids: tuple[str, ...]) -> Worker:
        spec = self._spec(group, f"{group.name}-{group.started}", gpu_ids)
        return Worker(spec, get_environment(group.placement.environment))

    def _spec(self, group: _Group, name: str, gpu_ids: tuple[str, ...]) -> WorkerSpec:
        folder = self._layout.jobs / group.name
        for needed in (folder, *map(Path, group.writable)):
            needed.mkdir(parents=True, exist_ok=True)
        return worker_spec(
            name=f"cyto-{self._layout.run_id}-{name}",
            placement=group.placement,
            jobs=folder,
            readable=(*group.readable, *_few(group.images)),
            writable=tuple(group.writable),
            code=tuple(sorted(group.code)),
            gpu_ids=gpu_ids,
            threads=group.placement.resources.cpus or 1,
        )

    def _make_room(self, group: _Group, gpu_ids: tuple[str, ...]) -> list[Worker]:
        """Take waiting workers out of other groups that hold what a new worker needs."""
        wanted = group.placement.resources.memory_bytes or 0
        held = sum(_memory(worker) for worker in self._busy) + wanted
        closing = []
        for other in self._groups.values():
            for worker in list(other.idle):
                held += _memory(worker)
                if held > self._machine.memory_bytes or set(gpu_ids) & set(worker.spec.gpu_ids):
                    other.idle.remove(worker)
                    closing.append(worker)
                    held -= _memory(worker)
        return closing


def _worth_waiting(placement: Placement) -> bool:
    """Tell whether a worker takes long to start, and serves several nodes."""
    once = placement.isolate or placement.max_tasks == 1
    return placement.environment != "baremetal" and not once


def _used_up(worker: Worker) -> bool:
    placement = worker.spec.placement
    return placement.isolate or worker.served >= (placement.max_tasks or worker.served + 1)


def _shared(placement: Placement) -> Placement:
    """Leave out of a placement what makes no difference to a worker."""
    return replace(
        placement, source="", entry="", batch_size=None, max_parallel=None, group=None, pull=None
    )


def _few(paths: Iterable[str]) -> tuple[str, ...]:
    """Name folders in place of very many files: a container takes few mounts, samples are many.

    A folder right below the root is never taken for what lies in it.
    """
    found = set(paths)
    while len(found) > _MOUNTS:
        upper = {os.path.dirname(p) if p.count("/") > 2 else p for p in found}  # noqa: PTH120
        if upper == found:
            break
        found = upper
    return tuple(found)


def _for(worker: Worker, node: Node) -> Worker:
    """Let the worker's messages name the place where this node's limits are written."""
    if worker.spec.placement.source != node.placement.source:
        worker.spec = _placed(worker.spec, node)
    return worker


def _placed(spec: WorkerSpec, node: Node) -> WorkerSpec:
    return replace(spec, placement=replace(spec.placement, source=node.placement.source))


def _memory(worker: Worker) -> int:
    return worker.spec.placement.resources.memory_bytes or 0


def clear_scratch(folder: Path) -> None:
    """Empty the workers' private folders of a run that ended; the recorded commands name them."""
    for scratch in folder.glob("*/.scratch/*"):
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "tmp").mkdir(parents=True)
