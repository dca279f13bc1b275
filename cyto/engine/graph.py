"""The directed graph of nodes: order, cycles, and how much follows after each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

Edges = Mapping[str, Sequence[str]]
"""For each node the nodes that it depends on."""


def topological_order(edges: Edges) -> list[str]:
    """Order the nodes so that each comes after what it depends on; ties keep the given order.

    Returns
    -------
    The nodes; those on a cycle, or after one, are left out.
    """
    missing = {name: len(set(before)) for name, before in edges.items()}
    after = successors(edges)
    ready = deque(name for name, count in missing.items() if not count)
    order = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for later in after[name]:
            missing[later] -= 1
            if not missing[later]:
                ready.append(later)
    return order


def successors(edges: Edges) -> dict[str, list[str]]:
    """Give for each node the nodes that depend on it."""
    after: dict[str, list[str]] = {name: [] for name in edges}
    for name, before in edges.items():
        for earlier in dict.fromkeys(before):
            after[earlier].append(name)
    return after


def find_cycle(edges: Edges) -> list[str]:
    """Find one cycle.

    Returns
    -------
    Its nodes in the direction of the data, the first one again at the end; empty without a cycle.
    """
    ordered = set(topological_order(edges))
    left = {
        name: [before for before in needed if before not in ordered]
        for name, needed in edges.items()
        if name not in ordered
    }
    if not left:
        return []
    name, seen = next(iter(left)), dict[str, int]()
    while name not in seen:  # every node left has a predecessor that is left
        seen[name] = len(seen)
        name = left[name][0]
    cycle = [node for node, place in seen.items() if place >= seen[name]]
    return [name, *reversed(cycle)]


def remaining_path(edges: Edges) -> dict[str, int]:
    """Give for each node the number of nodes on the longest path that starts with it."""
    after = successors(edges)
    length: dict[str, int] = {}
    for name in reversed(topological_order(edges)):
        length[name] = 1 + max((length[later] for later in after[name]), default=0)
    return length


def ancestors(edges: Edges, names: Iterable[str]) -> set[str]:
    """Give *names* and everything that they depend on."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(edges[name])
    return found


def descendants(edges: Edges, names: Iterable[str]) -> set[str]:
    """Give *names* and everything that depends on them."""
    return ancestors(successors(edges), names)
