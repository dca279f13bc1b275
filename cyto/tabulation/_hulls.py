"""Convex hulls of cells and their greatest width, in whole numbers.

A pixel stands for the four points half a pixel above, below, left and right of its centre, as in
scikit-image. A hull's left side is a chain of corners (*at*, *x*), counted in half pixels: row i of
the box lies at 2 i + 1. The right side is the left side of the mirrored cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyto.tabulation._jit import jit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
ABSENT = 1 << 40
"""Of a row without pixels: farther right than any column."""


def hulls(starts: Ints, y: Ints, first: Ints, last: Ints) -> tuple[Ints, Floats]:
    """Measure the convex hull of every cell.

    Parameters
    ----------
    starts
        (n + 1,) where each cell's runs begin in the next three, and their number.
    y, first, last
        (m,) row, first and last column of each run; a cell's rows ascend.

    Returns
    -------
    Pixels whose centre lies in the hull or on its edge, and the greatest distance between two
    points of these pixels, px; (n,) each.
    """
    top, bottom = y[starts[:-1]], y[starts[1:] - 1]
    begins = np.concatenate([[0], np.cumsum(bottom - top + 1)])
    row = y + np.repeat(begins[:-1] - top, np.diff(starts))
    new = np.flatnonzero(np.diff(row, prepend=-1))
    left, right = np.full((2, begins[-1]), ABSENT)
    if len(row):
        left[row[new]] = np.minimum.reduceat(first, new)
        right[row[new]] = np.minimum.reduceat(-last, new)
    area, square = np.zeros((2, len(top)), np.int64)
    room = 4 * int(np.max(bottom - top + 1, initial=0)) + 4
    corners = np.empty((2, room), np.int64)
    measure(begins, left, right, corners[0], corners[1], area, square)
    return area, np.sqrt(square) / 2


@jit
def measure(
    begins: Ints, left: Ints, right: Ints, at: Ints, x: Ints, area: Ints, square: Ints
) -> None:
    """Write hull areas and squared widths, in quarter px², of cells given row by row."""
    for cell in range(len(area)):
        begin, end = begins[cell], begins[cell + 1]
        for rows in (left, right):
            chain(rows, begin, end, at, x, 0)
            fill(rows, begin, end, at, x)
        for row in range(begin, end):
            if left[row] <= -right[row]:
                area[cell] += 1 - right[row] - left[row]
            else:  # thinner than a pixel between two pieces
                left[row] = ABSENT
                right[row] = ABSENT
        middle = chain(left, begin, end, at, x, 0)
        number = chain(right, begin, end, at, x, middle)
        for i in range(middle, number):
            x[i] = -x[i]
        for i in range(number):
            for j in range(i):
                dy, dx = at[i] - at[j], x[i] - x[j]
                if dy * dy + dx * dx > square[cell]:
                    square[cell] = dy * dy + dx * dx


@jit
def chain(rows: Ints, begin: int, end: int, at: Ints, x: Ints, start: int) -> int:
    """Write the corners of a hull's left side to (*at*, *x*) from *start* on; gives their end."""
    stop = start
    for k in range(2 * (end - begin) + 1):
        row = begin + k // 2
        here = 2 * ABSENT
        if row < end:
            here = 2 * rows[row] - k % 2
        if k % 2 == 0 and row > begin and 2 * rows[row - 1] < here:
            here = 2 * rows[row - 1]
        if here >= ABSENT:
            continue
        while stop - start >= 2:
            one, two = stop - 2, stop - 1
            if (x[two] - x[one]) * (k - at[one]) < (here - x[one]) * (at[two] - at[one]):
                break
            stop = two
        at[stop] = k
        x[stop] = here
        stop += 1
    return stop


@jit
def fill(rows: Ints, begin: int, end: int, at: Ints, x: Ints) -> None:
    """Set *rows* to the leftmost column whose centre is in the hull or on its edge."""
    i = 0
    for row in range(begin, end):
        k = 2 * (row - begin) + 1
        while at[i + 1] < k:
            i += 1
        height = at[i + 1] - at[i]
        rows[row] = -(-(x[i] * height + (x[i + 1] - x[i]) * (k - at[i])) // (2 * height))
