"""What each cell measures, under the names of the stage-based pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cyto.tabulation._regions import Options, measure

Array = NDArray[Any]


def sparse(
    labels: Array, image: Array, spacing: tuple[float, float], channel: str, first_frame: int = 0
) -> pd.DataFrame:
    """Measure all cells of (T, Y, X) *labels*; see `cyto.tabulation.sparse.LabelToSparse`.

    *spacing*: width and height of a pixel. *first_frame*: number of the first frame.
    """
    found = measure(labels, {"image": image}, Options(shape=True, solidity=True), first_frame)
    sx, sy = spacing
    length = np.sqrt(sx * sy)
    i, j = found["x"], found["y"]
    istart, jstart = found["bbox_x0"], found["bbox_y0"]
    isize, jsize = found["bbox_x1"] - istart, found["bbox_y1"] - jstart
    feret = found["feret_diameter"] * length
    columns = {
        "label": found["label"],
        "y": j * sy,
        "x": i * sx,
        "bbox_xstart": istart * sx,
        "bbox_ystart": jstart * sy,
        "bbox_xsize": isize * sx,
        "bbox_ysize": jsize * sy,
        "i": i,
        "j": j,
        "bbox_istart": istart,
        "bbox_jstart": jstart,
        "bbox_isize": isize,
        "bbox_jsize": jsize,
        "size": found["area"] * (sx * sy),
        "elongation": found["elongation"],
        "flatness": found["elongation"],
        "roundness": found["roundness"],
        "feret_diameter": feret,
        "feret_radius": feret / 2,
        "perimeter": found["perimeter"] * length,
        "mass": found["sum"],
        "mean": found["mean"],
        "median": found["median"],
        "sd": found["sd"],
        "frame": found["frame"],
        "channel": pd.Series([channel] * len(found), dtype="str"),
        "alive": np.full(len(found), np.nan),
    }
    table: pd.DataFrame = pd.DataFrame(columns)
    return table
