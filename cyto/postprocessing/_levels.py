"""How bright live cells are, found among live and dead ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SHARE = 0.1
"""A dead cell is at least this far up from live cells to the brightest."""


class Level(NamedTuple):
    """What live cells measure, and from where on a cell is dead; in the column's own unit."""

    live: float
    sd: float
    threshold: float


def automatic(values: Float, deviations: float) -> Level:
    """Find the level of live cells and the threshold above it.

    Live cells are taken to be the dim and dense ones: their level is the half-sample mode, their
    standard deviation comes from the values below it, which the dead cannot inflate.

    References
    ----------
    Bickel and Frühwirth, Comput. Stat. Data Anal. 50, 3500 (2006), doi:10.1016/j.csda.2005.07.011.
    """
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return Level(np.nan, np.nan, np.inf)
    live = half_sample_mode(values)
    below = values[values <= live]
    sd = 1.4826 * float(np.median(live - below)) if len(below) else 0.0
    if np.array_equal(values, np.rint(values)):
        sd = max(sd, 1.0)  # of whole numbers, such as medians, many are equal: their spread is lost
    top = float(np.quantile(values, 0.995))
    return Level(live, sd, live + max(deviations * sd, SHARE * (top - live)))


def half_sample_mode(ordered: Float) -> float:
    """Give the mode of sorted values: halve the sample to its densest half until 3 are left."""
    while len(ordered) > 3:
        half = (len(ordered) + 1) // 2
        width = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
        # the middle one of equally dense halves, so that ties do not pull to one side
        dense = np.flatnonzero(width == width.min())
        start = int(dense[len(dense) // 2])
        ordered = ordered[start : start + half]
    if len(ordered) == 3:
        low, high = ordered[1] - ordered[0], ordered[2] - ordered[1]
        if low != high:
            ordered = ordered[:2] if low < high else ordered[1:]
    return float(np.mean(ordered))
