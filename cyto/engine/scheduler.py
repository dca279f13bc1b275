"""What runs next: as much at once as there is room for, longest remaining path first."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cyto.core.placement import Resources
from cyto.engine.graph import Edges, remaining_path, successors
from cyto.runners.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a node, or a chunk of it, that may start now has been given."""

    node: str
    chunk: int | None = None
    gpu_ids: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Chunks:
    """The chunks of a node that wait; *room* is how many more may run at once."""

    waiting: deque[int]
    room: int


class Scheduler:
    """Hand out nodes whose dependencies have ended, within the resources of a machine.

    Four verbs: `take` what may start, `finish` what succeeded, `give_up` on what did not, and
    `drop` all that has not started. A node that was taken may be `split` into chunks, which are
    handed out one by one and come back with `release`. Each costs O(log nodes).

    Parameters
    ----------
    edges
        For each node the nodes that it depends on.
    wanted
        For each node what it needs of the machine; ``None`` when it runs elsewhere and needs
        nothing. A node that asks for more than the machine has is the caller's to refuse before.
    machine
        What there is to share.
    jobs
        At most so many nodes at once; ``None`` leaves it to the resources.
    """

    def __init__(
        self,
        edges: Edges,
        wanted: Mapping[str, Resources | None],
        machine: Machine,
        jobs: int | None = None,
    ) -> None:
        self._after = successors(edges)
        self._missing = {name: len(set(before)) for name, before in edges.items()}
        self._wanted = wanted
        self._cpus, self._memory = machine.cpus, machine.memory_bytes
        self._gpus = list(machine.gpu_ids)
        self._slots = jobs if jobs is not None else len(edges) + 1
        self._priority = remaining_path(edges)
        self._order = {name: place for place, name in enumerate(edges)}
        # nodes that need the same wait in one heap: what does not fit is looked at once, not often
        self._ready: dict[Resources | None, list[tuple[int, int, str]]] = {}
        self._granted: dict[tuple[str, int | None], Grant] = {}
        self._split: dict[str, _Chunks] = {}
        self._unfinished = set(edges)
        for name, count in self._missing.items():
            if not count:
                self._push(name)

    @property
    def unfinished(self) -> bool:
        """Whether there is anything left to run or running."""
        return bool(self._unfinished)

    @property
    def running(self) -> bool:
        """Whether anything runs."""
        return bool(self._granted)

    def take(self) -> list[Grant]:
        """Give the nodes that may start now, the most urgent first; they count as running."""
        grants: list[Grant] = []
        while True:
            fitting = [heap for need, heap in self._ready.items() if heap and self._fits(need)]
            if not fitting:
                return grants
            _, _, name = heapq.heappop(min(fitting))
            if name not in self._unfinished:  # a chunk of it failed while others waited
                continue
            grants.append(self._grant(name))

    def split(self, name: str, chunks: Iterable[int], limit: int | None = None) -> None:
        """Hand out *chunks* of a node that was taken in its place, at most *limit* at once."""
        self._release(name, None)
        waiting = deque(chunks)
        self._split[name] = _Chunks(waiting=waiting, room=limit or len(waiting))
        self._push(name)

    def release(self, name: str, chunk: int) -> None:
        """Note that a chunk ended, well or not; its node goes on."""
        self._release(name, chunk)
        chunks = self._split.get(name)
        if chunks is not None:
            chunks.room += 1
            if chunks.waiting and chunks.room == 1:
                self._push(name)

    def finish(self, name: str) -> None:
        """Note that a node succeeded: what waited for it may start."""
        self._end(name)
        for later in self._after[name]:
            self._missing[later] -= 1
            if not self._missing[later] and later in self._unfinished:
                self._push(later)

    def give_up(self, name: str) -> list[str]:
        """Note that a node failed; give all that depends on it, which will never run.

        Chunks of it that run are still to be released.
        """
        self._end(name)
        lost, todo = [], list(self._after[name])
        while todo:
            later = todo.pop()
            if later in self._unfinished:
                self._unfinished.discard(later)
                lost.append(later)
                todo.extend(self._after[later])
        return sorted(lost, key=self._order.__getitem__)

    def drop(self) -> list[str]:
        """Give up on everything that has not started; give its names."""
        waiting = self._unfinished - {name for name, _ in self._granted}
        self._unfinished -= waiting
        self._ready.clear()
        self._split.clear()
        return sorted(waiting, key=self._order.__getitem__)

    def _end(self, name: str) -> None:
        if (name, None) in self._granted:
            self._release(name, None)
        self._split.pop(name, None)
        self._unfinished.discard(name)

    def _push(self, name: str) -> None:
        heap = self._ready.setdefault(self._wanted[name], [])
        heapq.heappush(heap, (-self._priority[name], self._order[name], name))

    def _fits(self, need: Resources | None) -> bool:
        return need is None or (
            self._slots > 0
            and (need.cpus or 1) <= self._cpus
            and (need.memory_bytes or 0) <= self._memory
            and need.gpus <= len(self._gpus)
        )

    def _grant(self, name: str) -> Grant:
        chunks, chunk = self._split.get(name), None
        if chunks is not None:
            chunk = chunks.waiting.popleft()
            chunks.room -= 1
            if chunks.waiting and chunks.room:
                self._push(name)
        ids: tuple[str, ...] = ()
        need = self._wanted[name]
        if need is not None:
            self._slots -= 1
            self._cpus -= need.cpus or 1
            self._memory -= need.memory_bytes or 0
            ids, self._gpus = tuple(self._gpus[: need.gpus]), self._gpus[need.gpus :]
        grant = Grant(node=name, chunk=chunk, gpu_ids=ids)
        self._granted[name, chunk] = grant
        return grant

    def _release(self, name: str, chunk: int | None) -> None:
        grant = self._granted.pop((name, chunk))
        need = self._wanted[name]
        if need is not None:
            self._slots += 1
            self._cpus += need.cpus or 1
            self._memory += need.memory_bytes or 0
            self._gpus += grant.gpu_ids
