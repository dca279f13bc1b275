"""From the cells of each frame to one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cyto.tabulation._cells import Cells

Array = NDArray[Any]
Columns = dict[str, Array]
STATISTICS = ("mean", "median", "sd", "sum", "min", "max")
WEIGHTS = np.zeros(50)
"""Length of a border pixel by 1 + 2 · straight + 10 · diagonal border neighbours, px."""
WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
WEIGHTS[[21, 33]] = np.sqrt(2)
WEIGHTS[[13, 23]] = (1 + np.sqrt(2)) / 2


@dataclass(frozen=True)
class Options:
    """What to measure, and the calibration; see `cyto.tabulation.regions.RegionFeatures`."""

    shape: bool
    solidity: bool
    pixel_size_um: Optional[float] = None
    frame_interval_s: Optional[float] = None


def measure(
    labels: Array, images: Mapping[str, Array], options: Options, first_frame: int = 0
) -> pd.DataFrame:
    """Measure all cells of (T, Y, X) *labels*, whose first frame is *first_frame* of its movie."""
    nothing = np.zeros((1, 1), np.uint16)
    none = {key: np.zeros((1, 1), image.dtype) for key, image in images.items()}
    parts = [measure_frame(nothing, none, options, 0)]  # the columns' dtypes
    for index, label in enumerate(labels):
        now = {key: image[index] for key, image in images.items()}
        parts.append(measure_frame(label, now, options, first_frame + index))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table: pd.DataFrame = pd.DataFrame(columns)
    return table


def measure_frame(
    label: Array, images: Mapping[str, Array], options: Options, frame: int
) -> Columns:
    """Measure the cells of one (Y, X) frame; gives the columns, ordered by label."""
    cells = Cells(label)
    columns: Columns = {"label": cells.ids, "frame": np.full(len(cells.ids), frame, np.int64)}
    if options.frame_interval_s is not None:
        columns["t_s"] = columns["frame"] * options.frame_interval_s
    columns.update(_place(cells, options.pixel_size_um))
    for key, image in images.items():
        prefix = "" if key == "image" else f"{key}_"
        found = cells.statistics(image).T
        columns.update({prefix + name: row for name, row in zip(STATISTICS, found)})
    if options.shape:
        columns.update(_shape(cells))
    if options.shape and options.solidity:
        hull_area, columns["feret_diameter"] = cells.hull()
        columns["solidity"] = cells.area / hull_area
    if options.pixel_size_um is not None:
        for name in ("major_axis", "minor_axis", "perimeter", "feret_diameter"):
            if name in columns:
                columns[f"{name}_um"] = columns[name] * options.pixel_size_um
    return columns


def _place(cells: Cells, pixel_size_um: Optional[float]) -> Columns:
    y = cells.box[:, 0] + cells.sums[:, 0] / cells.area
    x = cells.box[:, 1] + cells.sums[:, 1] / cells.area
    columns: Columns = {"y": y, "x": x}
    if pixel_size_um is not None:
        columns.update(y_um=y * pixel_size_um, x_um=x * pixel_size_um)
    columns["area"] = cells.area
    if pixel_size_um is not None:
        columns["area_um2"] = cells.area * pixel_size_um**2
    for name, side in zip(("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1"), cells.box.T):
        columns[name] = side
    return columns


def _shape(cells: Cells) -> Columns:
    """Give the ellipse with the pixels' second central moments, and the outline."""
    sum_y, sum_x, sum_yy, sum_yx, sum_xx = cells.sums.T / cells.area
    yy, yx, xx = sum_yy - sum_y**2, sum_yx - sum_y * sum_x, sum_xx - sum_x**2
    half, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    long, short = half + spread, half - spread
    short = np.where(short > 1e-12 * long, short, 0.0)  # a line's width is rounding
    none = long == 0  # a single pixel
    with np.errstate(divide="ignore", invalid="ignore"):
        elongation = np.sqrt(np.where(none, 1.0, long / short))
        perimeter = cells.outline(WEIGHTS)
        roundness = np.where(perimeter > 0, 2 * np.sqrt(np.pi * cells.area) / perimeter, np.nan)
    round_ = spread <= 1e-9 * half  # no axis is the long one; scikit-image's choice for that
    return {
        "major_axis": 4 * np.sqrt(long),
        "minor_axis": 4 * np.sqrt(short),
        "eccentricity": np.sqrt(1 - np.where(none, 1.0, 1 / elongation**2)),
        "orientation": np.where(round_, -np.pi / 4, np.arctan2(2 * yx, yy - xx) / 2),
        "elongation": elongation,
        "perimeter": perimeter,
        "roundness": roundness,
    }
