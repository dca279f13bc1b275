"""Sums of Gaussians on a grid."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Image = NDArray[np.float32]

LEAST_PX = 1.0
"""Narrowest Gaussian: where cells coincide, Scott's rule gives none."""


class Grid(NamedTuple):
    """Where the density is computed: (height, width) of the image, every *step* px."""

    height: int
    width: int
    step: int

    def axes(self) -> tuple[Float, Float]:
        """Give the places of rows and columns, px: centres of blocks of *step* pixels."""
        return self._axis(self.height), self._axis(self.width)

    def _axis(self, size: int) -> Float:
        starts = np.arange(0, size, self.step, dtype=np.float64)
        return np.asarray(starts + (self.step - 1) / 2, np.float64)


def density(
    places: Float, grid: Grid, bandwidth_px: Optional[float], *, slope: bool = False
) -> Image:
    """Give the density of *places*, (n, 2) as (y, x), in cells per px², or its slope per px.

    A Gaussian is the product of one along y and one along x, so a sum of n of them on the grid is
    one product of matrices, exact to rounding.
    """
    if not len(places):
        y, x = grid.axes()
        return np.zeros((len(y), len(x)), np.float32)
    widths = scott(places) if bandwidth_px is None else np.full(2, bandwidth_px)
    (fy, dy), (fx, dx) = (
        _gaussians(axis, places[:, i], widths[i]) for i, axis in enumerate(grid.axes())
    )
    found = np.hypot(dy.T @ fx, fy.T @ dx) if slope else fy.T @ fx
    return np.asarray(found, np.float32)


def scott(places: Float) -> Float:
    """Give the standard deviations along y and x: those of the places times n^(-1/6)."""
    n = len(places)
    spread = places.std(axis=0, ddof=1) if n > 1 else np.zeros(2)
    widths: Float = np.maximum(spread * n ** (-1 / 6), LEAST_PX)
    return widths


def _gaussians(axis: Float, centres: Float, width: float) -> tuple[Float, Float]:
    """Give a Gaussian and its derivative for each centre, (n, len(axis))."""
    away = (axis - centres[:, None]) / width
    value = np.exp(-(away**2) / 2) / (width * np.sqrt(2 * np.pi))
    return value, -value * away / width


def stack(
    table: Any, frames: int, grid: Grid, bandwidth_px: Optional[float], *, slope: bool = False
) -> Image:
    """Give the density, or its slope, of every frame of a table, (T, Y, X)."""
    frame = table["frame"].to_numpy()
    places = table[["y", "x"]].to_numpy(np.float64)
    y, x = grid.axes()
    image = np.zeros((frames, len(y), len(x)), np.float32)
    for t in range(frames):
        image[t] = density(places[frame == t], grid, bandwidth_px, slope=slope)
    return image
