"""Measurements of all cells of a frame at once: pixels sorted by label, then summed by segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = dict[str, Array]
STATISTICS = ("mean", "median", "sd", "sum", "min", "max")
# Weight of a border pixel by 2 · direct + 10 · diagonal border neighbours (+ 1 for itself).
_WEIGHTS = np.zeros(50)
_WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
_WEIGHTS[[21, 33]] = np.sqrt(2)
_WEIGHTS[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure(
    labels: Array,
    images: Mapping[str, Array],
    pixel_size_um: Optional[float],
    *,
    shape: bool,
    solidity: bool,
) -> pd.DataFrame:
    """Measure all cells of (T, Y, X) *labels*; see `cyto.tabulation.regions.RegionFeatures`."""
    options = {"shape": shape, "solidity": solidity}
    nothing = np.zeros((1, 1), np.uint16)
    none = {key: np.zeros((1, 1), image.dtype) for key, image in images.items()}
    parts = [measure_frame(nothing, none, pixel_size_um, 0, **options)]  # the columns' dtypes
    for frame, label in enumerate(labels):
        now = {key: image[frame] for key, image in images.items()}
        parts.append(measure_frame(label, now, pixel_size_um, frame, **options))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table: pd.DataFrame = pd.DataFrame(columns)
    return table


def measure_frame(
    label: Array,
    images: Mapping[str, Array],
    pixel_size_um: Optional[float],
    frame: int,
    *,
    shape: bool,
    solidity: bool,
) -> Columns:
    """Measure the cells of one (Y, X) frame; gives the columns, ordered by label."""
    pixels = _Pixels(np.ascontiguousarray(label))
    columns: Columns = {
        "label": pixels.ids.astype(np.int64),
        "frame": np.full(len(pixels.ids), frame, np.int64),
        **_place(pixels, pixel_size_um),
    }
    for key, image in images.items():
        prefix = "" if key == "image" else f"{key}_"
        found = _intensity(pixels, image)
        columns.update({prefix + name: found[name] for name in STATISTICS})
    if shape:
        columns.update(_ellipse(pixels))
        columns["perimeter"] = _perimeter(pixels)
    if solidity:
        columns["solidity"] = _solidity(pixels)
    return columns


class _Pixels:
    """The labelled pixels of one frame, sorted by label, then in reading order.

    *at*: flat places; *ids*: labels, one per cell; *starts*: where each cell's pixels begin;
    *area*: how many they are; *cell*: each pixel's cell, 0 … n - 1; *y*, *x*: places.
    """

    def __init__(self, label: Array) -> None:
        self.label = label
        at = np.flatnonzero(label)
        values = label.ravel()[at]
        order = np.argsort(values, kind="stable")  # radix sort up to 16 bits
        self.at, values = at[order], values[order]
        new = np.ones(len(values), bool)
        new[1:] = values[1:] != values[:-1]
        self.starts = np.flatnonzero(new)
        self.ids = values[self.starts]
        self.area = np.diff(np.append(self.starts, len(values)))
        self.cell = np.repeat(np.arange(len(self.ids)), self.area)
        self.y, self.x = np.divmod(self.at, max(1, label.shape[1]))

    def reduce(self, how: np.ufunc, values: Array) -> Array:
        """Combine *values* of each cell's pixels."""
        if not len(self.starts):
            return values[:0]
        return np.asarray(how.reduceat(values, self.starts))

    def sum(self, values: Array) -> NDArray[np.float64]:
        """Add up *values* of each cell's pixels in double precision."""
        return np.asarray(self.reduce(np.add, values.astype(np.float64)))


def _place(pixels: _Pixels, pixel_size_um: Optional[float]) -> Columns:
    y, x = pixels.sum(pixels.y) / pixels.area, pixels.sum(pixels.x) / pixels.area
    columns: Columns = {"y": y, "x": x}
    if pixel_size_um is not None:
        columns.update(y_um=y * pixel_size_um, x_um=x * pixel_size_um)
    columns["area"] = pixels.area.astype(np.int64)
    if pixel_size_um is not None:
        columns["area_um2"] = pixels.area * pixel_size_um**2
    columns["bbox_y0"] = pixels.reduce(np.minimum, pixels.y)
    columns["bbox_x0"] = pixels.reduce(np.minimum, pixels.x)
    columns["bbox_y1"] = pixels.reduce(np.maximum, pixels.y) + 1
    columns["bbox_x1"] = pixels.reduce(np.maximum, pixels.x) + 1
    return columns


def _intensity(pixels: _Pixels, image: Array) -> Columns:
    values = np.ascontiguousarray(image).ravel()[pixels.at]
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    total = pixels.sum(values)
    mean = total / pixels.area
    with np.errstate(invalid="ignore"):  # infinite less infinite
        away = values - mean[pixels.cell]
    low = pixels.starts + (pixels.area - 1) // 2
    high = pixels.starts + pixels.area // 2
    ranked = _rank(pixels, values)
    middle = (ranked[low].astype(np.float64) + ranked[high]) / 2
    smallest, largest = pixels.reduce(np.minimum, values), pixels.reduce(np.maximum, values)
    if values.dtype.kind == "f":
        middle = np.where(np.isnan(total), np.nan, middle)
    return {
        "mean": mean,
        "median": middle,
        "sd": np.sqrt(pixels.sum(away * away) / pixels.area),
        "sum": total,
        "min": smallest.astype(np.float64),
        "max": largest.astype(np.float64),
    }


def _rank(pixels: _Pixels, values: Array) -> Array:
    """Sort *values* within each cell."""
    if values.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        keys = np.sort(pixels.cell << 16 | values)  # one sort of whole numbers, the fastest
        return (keys & 0xFFFF).astype(values.dtype)
    return values[np.lexsort((values, pixels.cell))]


def _ellipse(pixels: _Pixels) -> Columns:
    """Give the axes of the ellipse with the pixels' second central moments."""
    y = pixels.y - pixels.reduce(np.minimum, pixels.y)[pixels.cell]  # small numbers stay exact
    x = pixels.x - pixels.reduce(np.minimum, pixels.x)[pixels.cell]
    n = pixels.area.astype(np.float64)
    mean_y, mean_x = pixels.sum(y) / n, pixels.sum(x) / n
    dy, dx = y - mean_y[pixels.cell], x - mean_x[pixels.cell]
    yy, xx = pixels.sum(dy * dy) / n, pixels.sum(dx * dx) / n
    yx = pixels.sum(dy * dx) / n
    half, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    long, short = half + spread, np.maximum(half - spread, 0)
    ratio = np.divide(short, long, out=np.ones_like(long), where=long > 0)
    angle = np.arctan2(2 * yx, yy - xx) / 2
    round_ = spread <= 1e-9 * half  # no axis is the long one; skimage's choice for that
    return {
        "major_axis": 4 * np.sqrt(long),
        "minor_axis": 4 * np.sqrt(short),
        "eccentricity": np.sqrt(1 - ratio),
        "orientation": np.where(round_, -np.pi / 4, angle),
    }


def _perimeter(pixels: _Pixels) -> NDArray[np.float64]:
    """Add up the lengths of the outline's pixels, each by how its neighbours continue it."""
    width = pixels.label.shape[1] + 2
    framed = np.pad(pixels.label, 1).ravel()
    at = (pixels.y + 1) * width + pixels.x + 1
    own = framed[at]
    inner = np.ones(len(at), bool)
    for step in (-width, -1, 1, width):
        inner &= framed[at + step] == own
    at, own, cell = at[~inner], own[~inner], pixels.cell[~inner]
    border = np.zeros_like(framed)
    border[at] = own
    code = np.ones(len(at), np.int64)
    for step in (-width, -1, 1, width):
        code += 2 * (border[at + step] == own)
    for step in (-width - 1, -width + 1, width - 1, width + 1):
        code += 10 * (border[at + step] == own)
    lengths: NDArray[np.float64] = np.bincount(
        cell, weights=_WEIGHTS[code], minlength=len(pixels.ids)
    ).astype(np.float64)
    return lengths


def _solidity(pixels: _Pixels) -> NDArray[np.float64]:
    import skimage.measure

    regionprops: Callable[..., Any] = skimage.measure.regionprops
    found = regionprops(pixels.label.astype(np.int64), cache=False)
    return np.array([region.solidity for region in found], np.float64)
