"""What runs next: as much at once as the machine has room for, longest remaining path first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cyto.core.placement import Resources
from cyto.engine.graph import Edges, remaining_path, successors
from cyto.runners.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a node that may start now has been given."""

    node: str
    gpu_ids: tuple[str, ...] = ()


class Scheduler:
    """Hand out nodes whose dependencies have ended, within the resources of a machine.

    Four verbs: `take` what may start, `finish` what succeeded, `give_up` on what did not, and
    `drop` all that has not started. Each costs O(log nodes).

    Parameters
    ----------
    edges
        For each node the nodes that it depends on.
    wanted
        For each node what it needs; a node that asks for more than the machine has is the
        caller's to refuse before.
    machine
        What there is to share.
    jobs
        At most so many nodes at once; ``None`` leaves it to the resources.
    soft
        For some nodes those of their dependencies that need only have ended, however.
    """

    def __init__(
        self,
        edges: Edges,
        wanted: Mapping[str, Resources],
        machine: Machine,
        jobs: int | None = None,
        *,
        soft: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._soft = {name: frozenset(before) for name, before in (soft or {}).items()}
        self._after = successors(edges)
        self._missing = {name: len(set(before)) for name, before in edges.items()}
        self._wanted = wanted
        self._cpus, self._memory = machine.cpus, machine.memory_bytes
        self._gpus = list(machine.gpu_ids)
        self._slots = jobs if jobs is not None else len(edges) + 1
        self._priority = remaining_path(edges)
        self._order = {name: place for place, name in enumerate(edges)}
        # nodes that need the same wait in one heap: what does not fit is looked at once, not often
        self._ready: dict[Resources, list[tuple[int, int, str]]] = {}
        self._granted: dict[str, Grant] = {}
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
        grants = []
        while self._slots > 0:
            fitting = [heap for need, heap in self._ready.items() if heap and self._fits(need)]
            if not fitting:
                break
            _, _, name = heapq.heappop(min(fitting))
            grants.append(self._grant(name))
        return grants

    def finish(self, name: str) -> None:
        """Note that a node succeeded: what waited for it may start."""
        self._release(name)
        self._unfinished.discard(name)
        for later in self._after[name]:
            self._met(later)

    def again(self, name: str) -> None:
        """Note that a node is to be tried once more."""
        self._release(name)
        self._push(name)

    def give_up(self, name: str) -> list[str]:
        """Note that a node failed; give all that depends on it, which will never run."""
        self._release(name)
        self._unfinished.discard(name)
        lost, todo = [], [name]
        while todo:
            ended = todo.pop()
            for later in self._after[ended]:
                if ended in self._soft.get(later, ()):
                    self._met(later)
                elif later in self._unfinished:
                    self._unfinished.discard(later)
                    lost.append(later)
                    todo.append(later)
        return sorted(lost, key=self._order.__getitem__)

    def drop(self) -> list[str]:
        """Give up on everything that has not started; give its names."""
        waiting = self._unfinished - set(self._granted)
        self._unfinished -= waiting
        self._ready.clear()
        return sorted(waiting, key=self._order.__getitem__)

    def _met(self, name: str) -> None:
        """Count one dependency of a node as met; the last one lets it start."""
        self._missing[name] -= 1
        if not self._missing[name] and name in self._unfinished:
            self._push(name)

    def _push(self, name: str) -> None:
        heap = self._ready.setdefault(self._wanted[name], [])
        heapq.heappush(heap, (-self._priority[name], self._order[name], name))

    def _fits(self, need: Resources) -> bool:
        return (
            (need.cpus or 1) <= self._cpus
            and (need.memory_bytes or 0) <= self._memory
            and need.gpus <= len(self._gpus)
        )

    def _grant(self, name: str) -> Grant:
        need = self._wanted[name]
        self._slots -= 1
        self._cpus -= need.cpus or 1
        self._memory -= need.memory_bytes or 0
        ids, self._gpus = tuple(self._gpus[: need.gpus]), self._gpus[need.gpus :]
        self._granted[name] = Grant(node=name, gpu_ids=ids)
        return self._granted[name]

    def _release(self, name: str) -> None:
        grant = self._granted.pop(name)
        need = self._wanted[name]
        self._slots += 1
        self._cpus += need.cpus or 1
        self._memory += need.memory_bytes or 0
        self._gpus += grant.gpu_ids
