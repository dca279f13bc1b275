"""Pairs of cells that lie near each other in one frame, with their exact distance."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.contact._touching import Touching, shifted

Array = NDArray[Any]
Int = NDArray[np.int64]


BLOCK = 1 << 20
"""How many pairs of bounding boxes are compared at once."""


class Nearby(NamedTuple):
    """Pairs of one frame, ordered by ``a``, then ``b``.

    *a*, *b*: labels. *square_px2*: square of the distance of their nearest pixels.
    """

    a: Int
    b: Int
    square_px2: Int


class Outlines(NamedTuple):
    """The outlines of all cells of one frame, ordered by label.

    *ids*: labels. *y*, *x*: the outlines' pixels, those of cell i from ``starts[i]`` to
    ``starts[i + 1]``. *low*, *high*: first and last place of each cell, (n, 2) as (y, x).
    """

    ids: Int
    y: Int
    x: Int
    starts: Int
    low: Int
    high: Int

    def of(self, cell: int) -> tuple[Int, Int]:
        """Give the places (y, x) of one cell's outline."""
        part = slice(self.starts[cell], self.starts[cell + 1])
        return self.y[part], self.x[part]


def nearby(labels: Array, other: Optional[Array], radius_px: float, known: Touching) -> Nearby:
    """Find all pairs within (Y, X) *labels*, or between *labels* and *other*, that lie apart.

    Cells whose bounding boxes are within *radius_px* are compared pixel by pixel along their
    outlines, no other pixel being nearest; the pairs in *known* touch and are left out.
    """
    first = outlines(labels)
    second = first if other is None else outlines(other)
    limit = radius_px**2 * (1 + 1e-9)  # 3.25 µm are 5 pixels of 0.65 µm
    pairs = _candidates(first, second, limit)
    if other is None:
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    touch = np.searchsorted(first.ids, known.a), np.searchsorted(second.ids, known.b)
    size = len(second.ids)
    pairs = pairs[~np.isin(pairs[:, 0] * size + pairs[:, 1], touch[0] * size + touch[1])]
    squares = np.array([_square(first, i, second, j, radius_px) for i, j in pairs.tolist()])
    keep = squares <= limit
    i, j = pairs[keep].T
    return Nearby(first.ids[i], second.ids[j], squares[keep].astype(np.int64))


def outlines(labels: Array) -> Outlines:
    """Collect the pixels of each cell that have a neighbour along x or y outside it."""
    edge = np.zeros(labels.shape, bool)
    for step in ((0, 1), (1, 0)):
        here, there = shifted(step)
        change = labels[here] != labels[there]
        edge[here] |= change
        edge[there] |= change
    # a cell that fills the frame has no such pixel
    edge[:1], edge[:, :1] = True, True
    edge &= labels != 0
    at = np.flatnonzero(edge)
    values = labels.ravel()[at]
    order = np.argsort(values, kind="stable")
    ids, starts = np.unique(values[order], return_index=True)
    y, x = np.divmod(at[order], max(1, labels.shape[1]))
    place = np.stack([y, x], axis=1)
    low, high = (
        np.asarray(how.reduceat(place, starts) if len(starts) else place, np.int64)
        for how in (np.minimum, np.maximum)
    )
    return Outlines(ids.astype(np.int64), y, x, np.append(starts, len(y)), low, high)


def _candidates(first: Outlines, second: Outlines, limit_px2: float) -> Int:
    """Give the pairs of cells, (n, 2), whose bounding boxes are near enough."""
    found = [np.zeros((0, 2), np.int64)]
    rows = max(1, BLOCK // max(1, len(second.ids)))
    for start in range(0, len(first.ids), rows):
        part = slice(start, start + rows)
        low, high = first.low[part, None], first.high[part, None]
        square = np.zeros((len(low), len(second.ids)), np.int64)
        for axis in (0, 1):
            gap = np.maximum(
                low[..., axis] - second.high[:, axis], second.low[:, axis] - high[..., axis]
            )
            square += np.maximum(gap, 0) ** 2
        pairs = np.argwhere(square <= limit_px2)
        pairs[:, 0] += start
        found.append(pairs)
    return np.concatenate(found)


def _square(first: Outlines, i: int, second: Outlines, j: int, radius_px: float) -> int:
    """Give the square of the distance of two cells, or more than the radius' square."""
    y1, x1 = _facing(first.of(i), second.low[j] - radius_px, second.high[j] + radius_px)
    if not len(y1):
        return np.iinfo(np.int64).max
    y2, x2 = _facing(second.of(j), first.low[i] - radius_px, first.high[i] + radius_px)
    if not len(y2):
        return np.iinfo(np.int64).max
    return int(((y1[:, None] - y2) ** 2 + (x1[:, None] - x2) ** 2).min())


def _facing(outline: tuple[Int, Int], low: Array, high: Array) -> tuple[Int, Int]:
    y, x = outline
    near = (y >= low[0]) & (y <= high[0]) & (x >= low[1]) & (x <= high[1])
    return y[near], x[near]
