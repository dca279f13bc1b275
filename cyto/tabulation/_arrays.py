"""What `cyto.tabulation._loops` computes, with NumPy alone: where Numba is not installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def statistics(image: Array, starts: Ints, at: Ints, length: Ints) -> Floats:
    """Give mean, median, standard deviation, sum, least and greatest value of each cell, (n, 6).

    *image*: (Y · X,). *starts*: (n + 1,) where each cell's runs begin in *at*, *length*.
    """
    number = len(starts) - 1
    if not number:
        return np.empty((0, 6))
    values = image[spread(at, length)]
    area = np.add.reduceat(length, starts[:-1])
    begins = np.concatenate([[0], np.cumsum(area)[:-1]])
    cell = np.repeat(np.arange(number), area)
    with np.errstate(invalid="ignore"):  # infinite less infinite
        total = np.add.reduceat(values.astype(np.float64), begins)
        mean = total / area
        away = values - mean[cell]
        ranked = _rank(cell, values)
        low, high = ranked[begins + (area - 1) // 2], ranked[begins + area // 2]
        middle = low * 0.5 + high * 0.5
    found = np.stack(
        [
            mean,
            middle,
            np.sqrt(np.add.reduceat(away * away, begins) / area),
            total,
            np.minimum.reduceat(values, begins),
            np.maximum.reduceat(values, begins),
        ],
        axis=1,
    )
    found[np.isnan(found[:, 4])] = np.nan  # the least is not a number if one is
    return found


def spread(at: Ints, length: Ints) -> Ints:
    """Give every pixel's place, for runs by first pixel and length."""
    ends = np.cumsum(length)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(at - ends + length, length)


def _rank(cell: Ints, values: Array) -> Array:
    """Sort *values* within each cell."""
    if values.dtype == np.uint16:
        return (np.sort(cell << 16 | values) & 0xFFFF).astype(np.uint16)  # the fastest sort
    return values[np.lexsort((values, cell))]


def outline(
    framed: Array,
    width: int,
    at: Ints,
    length: Ints,
    cell: Ints,
    weights: Floats,
    number: int,
) -> Floats:
    """Add up *weights* of each cell's border pixels; see `cyto.tabulation._loops.outline`."""
    pixels, owner = spread(at, length), np.repeat(cell, length)
    own = framed[pixels]
    inner = np.ones(len(pixels), bool)
    for step in (-width, -1, 1, width):
        inner &= framed[pixels + step] == own
    pixels, own, owner = pixels[~inner], own[~inner], owner[~inner]
    border = np.zeros_like(framed)
    border[pixels] = own
    code = np.ones(len(pixels), np.int64)
    for step in (-width, -1, 1, width):
        code += 2 * (border[pixels + step] == own)
    for step in (-width - 1, -width + 1, width - 1, width + 1):
        code += 10 * (border[pixels + step] == own)
    return np.bincount(owner, weights[code], number).astype(np.float64)
