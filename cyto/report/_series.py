"""Curves for plots: binned, joined over samples, in numbers as short as they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

_POINTS = 400
_FEW = 5


@dataclass(kw_only=True)
class Series:
    """One curve; *low* and *high* are its band.

    Parameters
    ----------
    kind
        ``line``, ``steps`` (holds until the next point), ``bars`` (*x* are left edges, *width* is
        theirs) or ``path`` (x goes to and fro).
    """

    name: str
    kind: Literal["line", "steps", "bars", "path"] = "line"
    x: list[float | None] = field(default_factory=list)
    y: list[float | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    width: float = 0.0


@dataclass(kw_only=True)
class Plot:
    """One plot: its axes' words, its curves, and the axis' ends where they are fixed."""

    key: str
    title: str
    x: str
    y: str
    series: list[Series]
    note: str = ""
    bottom: float | None = None
    top: float | None = None
    square: bool = False


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One sample's values; *last* is up to where the last one holds."""

    x: Any
    y: Any
    last: float = 0.0


def clock(longest: float, timed: bool) -> tuple[str, float]:
    """Choose a unit for times of up to *longest* seconds: its name, and its seconds."""
    if not timed:
        return "frames", 1.0
    if longest < 180:
        return "s", 1.0
    if longest < 6 * 3600:
        return "min", 60.0
    return ("h", 3600.0) if longest < 4 * 86400 else ("days", 86400.0)


def rounded(values: Any) -> list[float | None]:
    """Give numbers with five digits; ``None`` for what is missing."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.asarray(values, float)]


def over_samples(name: str, curves: Sequence[Curve], scale: float) -> tuple[Series, str]:
    """Join the curves of several samples: their median, and the band that most of them lie in."""
    ends = [float(curve.x[-1]) for curve in curves if len(curve.x)]
    if len(curves) == 1:
        x, y = curves[0].x, curves[0].y
        if curves[0].last > (ends or [0.0])[0]:
            x, y = np.r_[x, curves[0].last], np.r_[y, y[-1]]
        step = max(1, -(-len(x) // _POINTS))
        return Series(name=name, x=rounded(x[::step] / scale), y=rounded(y[::step])), ""
    grid = np.unique(np.concatenate([curve.x for curve in curves]))
    grid = grid[:: max(1, -(-len(grid) // _POINTS))]
    rows = np.array([_held(curve, grid) for curve in curves])
    known = np.isfinite(rows).any(axis=0)
    grid, rows = grid[known], rows[:, known]
    few = len(curves) < _FEW
    low, high = (np.nanmin(rows, 0), np.nanmax(rows, 0)) if few else _percentiles(rows)
    series = Series(
        name=name,
        x=rounded(grid / scale),
        y=rounded(np.nanmedian(rows, axis=0)),
        low=rounded(low),
        high=rounded(high),
    )
    band = "all samples lie in the band" if few else "the band holds 8 of 10 samples"
    return series, f"Median of samples; {band}."


def _held(curve: Curve, grid: Any) -> Any:
    """Give a curve's values on *grid*, each held to the next; NaN outside."""
    if not len(curve.x):
        return np.full(len(grid), np.nan)
    places = np.searchsorted(curve.x, grid, side="right") - 1
    values = np.where(places >= 0, np.asarray(curve.y, float)[np.maximum(places, 0)], np.nan)
    return np.where(grid <= max(float(curve.x[-1]), curve.last), values, np.nan)


def _percentiles(rows: Any) -> tuple[Any, Any]:
    low, high = np.nanpercentile(rows, (10, 90), axis=0)
    return low, high


def binned(values: Mapping[str, Any], bins: int) -> list[Series]:
    """Count values in bins that all groups share."""
    every = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(every, bins=max(1, min(bins, round(2 * len(every) ** (1 / 3)))))
    return [
        Series(
            name=name,
            kind="bars",
            x=rounded(edges[:-1]),
            y=rounded(np.histogram(part, edges)[0]),
            width=float(f"{edges[1] - edges[0]:.5g}"),
        )
        for name, part in values.items()
    ]
