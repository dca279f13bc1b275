"""Loops over the pixels of runs, for Numba: plain, since every refinement costs compile time.

`cyto.tabulation._arrays` computes the same with NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyto.tabulation._jit import jit

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BINS = 128
"""That a cell's values are spread over to find the middle one."""


@jit
def statistics(
    image: Array, stops: Ints, at: Ints, length: Ints, values: Array, found: Floats
) -> None:
    """Write mean, median, standard deviation, sum, least and greatest value of each cell.

    Parameters
    ----------
    image
        (Y · X,) intensities.
    stops
        (n,) where each cell's runs end in the next two.
    at, length
        (m,) first pixel and length of each run.
    values
        Room for twice the pixels of the largest cell.
    found
        (n, 6) not a number; the median stays so where not all is finite, and the rest is no use.
    """
    bins = np.zeros(BINS, np.int64)
    run = 0
    for cell in range(len(stops)):
        size = 0
        total = square = 0.0
        low = high = image[at[run]]
        while run < stops[cell]:
            for k in range(at[run], at[run] + length[run]):
                value = image[k]
                values[size] = value
                size += 1
                total += value
                if value < low:
                    low = value
                if value > high:
                    high = value
            run += 1
        mean = total / size
        for k in range(size):
            square += (values[k] - mean) * (values[k] - mean)
        found[cell, 0] = mean
        spread = 1.0 * high - low
        if total - total == 0.0 and spread - spread == 0.0:  # finite
            found[cell, 1] = median(values, size, low, high, bins)
        found[cell, 2] = (square / size) ** 0.5
        found[cell, 3] = total
        found[cell, 4] = low
        found[cell, 5] = high


@jit
def median(values: Array, size: int, low: Any, high: Any, bins: Ints) -> Any:
    """Give the median of the first *size* values, *low* to *high*; writes behind them.

    The bin that holds the middle value is found first, so that few are left to be ordered.
    """
    if low == high:
        return 1.0 * low
    scale = (BINS - 0.5) / (1.0 * high - low)
    for k in range(size):
        bins[int((values[k] - low) * scale)] += 1
    below = chosen = 0
    while below + bins[chosen] <= size // 2:
        below += bins[chosen]
        chosen += 1
    bins[:] = 0
    end = size
    for k in range(size):
        if int((values[k] - low) * scale) == chosen:
            values[end] = values[k]
            end += 1
    upper = select(values, size, end - 1, size + size // 2 - below)
    if size % 2:
        return 1.0 * upper
    number = 0
    lower = low
    for k in range(size):
        if values[k] < upper:
            number += 1
            if values[k] > lower:
                lower = values[k]
    if number < size // 2:
        lower = upper
    return 0.5 * lower + 0.5 * upper


@jit
def select(values: Array, low: int, high: int, place: int) -> Any:
    """Order values *low* to *high* so far that *place* holds what it would when sorted: Hoare."""
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                kept = values[i]
                values[i] = values[j]
                values[j] = kept
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return values[place]


@jit
def outline(
    label: Array,
    width: int,
    at: Ints,
    length: Ints,
    cell: Ints,
    weights: Floats,
    border: Array,
    found: Floats,
) -> None:
    """Add up *weights* of each cell's border pixels, by 2 · straight + 10 · diagonal neighbours.

    *label*, *border*: (Y · *width*,) from frames with 0 all around; *border* is 0 at first and
    then holds the labels of all pixels with a straight neighbour of another label.
    """
    for run in range(len(at)):
        first, last = at[run], at[run] + length[run] - 1
        own = label[first]
        for k in range(first, last):
            if label[k - width] != own or label[k + width] != own:
                border[k] = own
        border[first] = own
        border[last] = own
    for run in range(len(at)):
        for k in range(at[run], at[run] + length[run]):
            own = border[k]
            if own:
                straight, diagonal = 0, 0
                for step in (-width, -1, 1, width):
                    if border[k + step] == own:
                        straight += 1
                for step in (-width - 1, -width + 1, width - 1, width + 1):
                    if border[k + step] == own:
                        diagonal += 1
                found[cell[run]] += weights[1 + 2 * straight + 10 * diagonal]
