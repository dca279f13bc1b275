"""The two steps of linear assignment tracking, as functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np
from scipy.spatial import cKDTree

from cyto.tracking._matching import best_matching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Index = NDArray[np.int64]
    Numbers = NDArray[np.float64]
    Pairs = tuple[Index, Index, Numbers]

LINK, GAP, SPLIT, MERGE = range(4)
"""Kinds of edges: frame to frame, over a gap, mother to daughter, one cell into another."""

FIRST_FACTOR = 1.05
"""Of the greatest cost of a frame pair: what it costs not to link in the first step."""

SMALLEST_COST = 1e-6
"""px²: stands for a cost of no link where all candidates cost nothing."""


@dataclass(frozen=True)
class Limits:
    """How far cells may be apart; see `cyto.tracking.lap.LapTracker`. ``None`` switches off."""

    linking_px: float
    gap_px: Optional[float]
    max_frame_gap: int
    splitting_px: Optional[float] = None
    merging_px: Optional[float] = None
    factor: float = 1.05
    percentile: float = 90.0


@dataclass(frozen=True)
class Links:
    """Directed edges between rows, in time's direction, ordered by target, then source."""

    source: Index
    target: Index
    kind: Index


def lap_links(frame: Index, yx: Numbers, limits: Limits) -> Links:
    """Link cells by two linear assignments: frame to frame, then track end to track start.

    Parameters
    ----------
    frame
        (n,) whole numbers, in any order.
    yx
        (n, 2) float64, px, finite.
    limits
        How far.

    Returns
    -------
    Edges between row numbers; no edge twice, at most two out of and two into each row.
    """
    order = np.lexsort((*yx.T[::-1], frame))  # so that ties do not depend on names
    frame, yx = frame[order], yx[order]
    source, target = _first_step(frame, yx, _bounded(limits.linking_px, yx))
    links = [
        (source, target, np.full(len(source), LINK)),
        _second_step(frame, yx, source, target, limits),
    ]
    source, target, kind = (np.concatenate(part) for part in zip(*links))
    return tidy(order[source], order[target], kind, count=len(frame))


def tidy(source: Index, target: Index, kind: Index, *, count: int) -> Links:
    """Order edges by target, then source; of equal ones keep the one of the lowest kind."""
    order = np.lexsort((kind, source, target))
    key = target[order] * np.int64(count) + source[order]
    order = order[np.diff(key, prepend=-1) != 0]
    return Links(source[order], target[order], kind[order])


def near(first: Numbers, second: Numbers, radius: float) -> Pairs:
    """Give all pairs (i, j) at most *radius* apart, with their squared distances.

    Ordered by i, then j.
    """
    empty = np.empty(0, np.int64)
    if not len(first) or not len(second):
        return empty, empty, np.empty(0)
    # a little more, then exactly: the tree compares distances, not their squares
    found = cKDTree(first).sparse_distance_matrix(
        cKDTree(second), radius * (1 + 1e-9), output_type="ndarray"
    )
    i, j = found["i"], found["j"]
    squared = ((first[i] - second[j]) ** 2).sum(axis=1)
    kept = np.flatnonzero(squared <= radius * radius)
    kept = kept[np.lexsort((j[kept], i[kept]))]
    return i[kept].astype(np.int64), j[kept].astype(np.int64), squared[kept]


def frame_pairs(frame: Index) -> Iterator[tuple[slice, slice]]:
    """Give the rows of each frame and of the one after it, where both have cells."""
    numbers, begins = np.unique(frame, return_index=True)
    ends = np.append(begins[1:], len(frame))
    for place in np.flatnonzero(np.diff(numbers) == 1):
        yield slice(begins[place], ends[place]), slice(begins[place + 1], ends[place + 1])


def _first_step(frame: Index, yx: Numbers, radius: float) -> tuple[Index, Index]:
    sources, targets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for now, then in frame_pairs(frame):
        i, j, cost = near(yx[now], yx[then], radius)
        if len(cost):
            none = FIRST_FACTOR * cost.max() or SMALLEST_COST
            chosen = best_matching(i, j, 2 * none - cost.min() - cost)
            sources.append(i[chosen] + now.start)
            targets.append(j[chosen] + then.start)
    return np.concatenate(sources), np.concatenate(targets)


def _second_step(
    frame: Index, yx: Numbers, source: Index, target: Index, limits: Limits
) -> tuple[Index, Index, Index]:
    """Match track ends, and cells that may split, with track starts, and cells merged into."""
    count = len(frame)
    every = np.arange(count)
    ends = np.setdiff1d(every, source, assume_unique=True)
    starts = np.setdiff1d(every, target, assume_unique=True)
    found = [
        (GAP, *_steps_apart(frame, yx, ends, starts, step, limits.gap_px))
        for step in range(1, limits.max_frame_gap + 1)
        if limits.gap_px
    ]
    if limits.splitting_px:
        found.append((SPLIT, *_steps_apart(frame, yx, every, starts, 1, limits.splitting_px)))
    if limits.merging_px:
        found.append((MERGE, *_steps_apart(frame, yx, ends, every, 1, limits.merging_px)))
    found = [part for part in found if len(part[1])]
    if not found:
        return source[:0], target[:0], source[:0]
    kind = np.concatenate([np.full(len(part[1]), part[0]) for part in found])
    i, j = (np.concatenate([part[axis] for part in found]) for axis in (1, 2))
    cost = np.concatenate([part[3] for part in found])
    none = limits.factor * float(np.percentile(cost, limits.percentile, method="lower"))
    # a cell that splits is another row than the same cell as an end; likewise for merging
    rows, columns = i + count * (kind == SPLIT), j + count * (kind == MERGE)
    chosen = best_matching(rows, columns, (none or SMALLEST_COST) - cost)
    return i[chosen], j[chosen], kind[chosen]


def _steps_apart(
    frame: Index, yx: Numbers, first: Index, second: Index, step: int, radius: float
) -> Pairs:
    """Give the pairs of rows that are *step* frames and at most *radius* apart."""
    radius = _bounded(radius, yx)
    # frames as a third axis, so far apart that only equal ones can be near
    numbers = np.unique(frame)
    apart = 4 * radius
    earlier = np.searchsorted(numbers, frame[first] + step)
    earlier = np.where(np.isin(frame[first] + step, numbers), earlier, -1)
    later = np.searchsorted(numbers, frame[second])
    i, j, cost = near(
        np.column_stack([earlier * apart, yx[first]]),
        np.column_stack([later * apart, yx[second]]),
        radius,
    )
    return first[i], second[j], cost


def _bounded(radius: float, yx: Numbers) -> float:
    """Give *radius*, or what reaches every cell when that is less."""
    return min(radius, float(np.hypot(*np.ptp(yx, axis=0))) + 1) if len(yx) else radius
