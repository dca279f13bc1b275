"""The cells of one frame as runs: pixels of one cell side by side in a row.

A frame of 1024² with 500 cells has a million pixels and 15 thousand runs, from which area, place
and second moments follow without looking at a pixel again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyto.tabulation import _arrays, _hulls, _jit, _loops

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TABLE = 1 << 22
"""Labels below it are looked up in a table."""


class Cells:
    """The cells of a (Y, X) *label* frame, n of them, with m runs.

    *ids*: (n,) labels, ascending. *starts*: (n + 1,) where each cell's runs begin; they are in
    reading order. *cell*, *y*, *first*, *last*: (m,) each run's place in *ids*, row, and columns.
    *area*: (n,) pixels. *box*: (n, 4) first row and column, last ones + 1. *sums*: (n, 5) of y, x,
    y², y x, x², counted from the box's corner.
    """

    def __init__(self, label: Array) -> None:
        height, self._width = label.shape[0] + 2, label.shape[1] + 2
        framed = np.zeros((height, self._width), _as_unsigned(label.dtype))
        framed[1:-1, 1:-1] = label
        self._framed = framed.ravel()
        begins, ends, labels = _runs(self._framed)
        self.ids, cell = _number(labels)
        order = np.argsort(cell, kind="stable")
        self._at, self.cell = begins[order], cell[order]
        self.length = ends[order] - self._at
        self.y, self.first = np.divmod(self._at, self._width)
        self.y -= 1
        self.first -= 1
        self.last = self.first + self.length - 1
        self.starts = np.searchsorted(self.cell, np.arange(len(self.ids) + 1))
        self._moments()

    def _moments(self) -> None:
        starts = self.starts[:-1]
        ends = self.starts[1:] - 1  # rows ascend within a cell
        self.area = _add(self.length, starts)
        left, right = (
            _reduce(np.minimum, self.first, starts),
            _reduce(np.maximum, self.last, starts),
        )
        self.box = np.stack([self.y[starts], left, self.y[ends] + 1, right + 1], axis=1)
        y = self.y - self.box[self.cell, 0]
        a, b = self.first - left[self.cell], self.last - left[self.cell]
        x = (a + b) * self.length // 2
        xx = (b * (b + 1) * (2 * b + 1) - (a - 1) * a * (2 * a - 1)) // 6
        parts = (y * self.length, x, y * y * self.length, y * x, xx)
        self.sums = np.stack([_add(part, starts) for part in parts], axis=1)

    def statistics(self, image: Array) -> Floats:
        """Give mean, median, standard deviation, sum, least and greatest value, (n, 6).

        Where a pixel is not a number, they all are; infinite ones count.
        """
        flat = _as_known(image).ravel()
        at = self.y * image.shape[1] + self.first
        if not _jit.COMPILED:
            return _arrays.statistics(flat, self.starts, at, self.length)
        found = np.full((len(self.ids), 6), np.nan)
        room = np.empty(2 * int(self.area.max(initial=0)), flat.dtype)
        _loops.statistics(flat, self.starts[1:], at, self.length, room, found)
        for odd in np.flatnonzero(np.isnan(found[:, 1])):
            some = slice(self.starts[odd], self.starts[odd + 1])
            whole = np.array([0, some.stop - some.start])
            found[odd] = _arrays.statistics(flat, whole, at[some], self.length[some])[0]
        return found

    def outline(self, weights: Floats) -> Floats:
        """Add up the weights of each cell's border pixels, (n,); see `_loops.outline`."""
        runs = (self._framed, self._width, self._at, self.length, self.cell, weights)
        if not _jit.COMPILED:
            return _arrays.outline(*runs, len(self.ids))
        found = np.zeros(len(self.ids))
        _loops.outline(*runs, np.zeros_like(self._framed), found)
        return found

    def hull(self) -> tuple[Ints, Floats]:
        """Give area, px², and Feret diameter, px, of the convex hulls, (n,) each."""
        return _hulls.hulls(self.starts, self.y, self.first, self.last)


def _as_unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type that loops meet labels in: 16 bits, else 32, else 64."""
    return np.dtype(f"u{max(2, dtype.itemsize)}")


def _as_known(image: Array) -> Array:
    """Give *image* in a type that loops are compiled for, read-only as one from a file."""
    kinds = (np.uint16, np.float32, np.float64)
    kind = next((kind for kind in kinds if np.can_cast(image.dtype, kind, "safe")), np.float64)
    ready: Array = np.ascontiguousarray(image, kind).view()
    ready.flags.writeable = False
    return ready


def _runs(framed: Array) -> tuple[Ints, Ints, Array]:
    """Find where runs of one label begin and end, and their labels, in reading order."""
    change = np.flatnonzero(framed[1:] != framed[:-1]) + 1
    labels = framed[change]
    real = labels != 0
    begins = change[real]
    ends = change[1:][real[:-1]]  # a run's end is the next change: the frame's is background
    return begins, ends, labels[real]


def _number(labels: Array) -> tuple[Ints, Ints]:
    """Give the labels that occur, ascending, and the place of each run's label among them."""
    if not len(labels) or labels.max() >= TABLE:
        ids, cell = np.unique(labels, return_inverse=True)
        return ids.astype(np.int64), cell.astype(np.int64)
    there = np.zeros(int(labels.max()) + 1, bool)
    there[labels] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[labels]


def _reduce(how: np.ufunc, values: Ints, starts: Ints) -> Ints:
    return np.asarray(how.reduceat(values, starts)) if len(starts) else values[:0]


def _add(values: Ints, starts: Ints) -> Ints:
    return _reduce(np.add, values, starts)
