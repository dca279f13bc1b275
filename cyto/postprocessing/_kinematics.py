"""Motion of tracked cells, from their places."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Scale(NamedTuple):
    """What pixels and frames are in the world; ``None`` where it is not known."""

    pixel_size_um: Optional[float] = None
    frame_interval_s: Optional[float] = None


class Motion(NamedTuple):
    """Where each row of a table, ordered by track and frame, stands in its track.

    *first*: the row at which its track begins. *y*, *x*: px. *frame*: counted from 0.
    """

    first: Int
    frame: Int
    y: Float
    x: Float

    def before(self, values: Any) -> Any:
        """Give each row's predecessor in its track; its own value where it has none."""
        place = np.arange(len(self.first))
        return values[np.where(self.first == place, place, place - 1)]

    def along(self, values: Float) -> Float:
        """Add up *values* along each track."""
        total = np.cumsum(values)
        start: Float = total[self.first] - values[self.first]
        return total - start


def follow(track: NDArray[Any], frame: Int, y: Float, x: Float) -> Motion:
    """Describe rows that are ordered by track and frame."""
    place = np.arange(len(track))
    begins = np.ones(len(track), bool)
    begins[1:] = track[1:] != track[:-1]
    first = np.maximum.accumulate(np.where(begins, place, 0)) if len(track) else place
    return Motion(first, frame, y, x)


def steps(motion: Motion) -> dict[str, Float]:
    """Give each row's motion in px and frames; a track's first row has no step."""
    dy, dx = motion.y - motion.before(motion.y), motion.x - motion.before(motion.x)
    frames = (motion.frame - motion.before(motion.frame)).astype(np.float64)
    began = frames == 0
    frames[began] = np.nan
    step = np.hypot(dy, dx)
    distance = motion.along(np.nan_to_num(step))
    away = np.hypot(motion.y - motion.y[motion.first], motion.x - motion.x[motion.first])
    efficiency = np.divide(away, distance, out=np.full(len(away), np.nan), where=distance > 0)
    return {
        "step_px": np.where(began, np.nan, step),
        "vel_y_px_frame": dy / frames,
        "vel_x_px_frame": dx / frames,
        "speed_px_frame": step / frames,
        "displacement_px": away,
        "distance_px": distance,
        "path_efficiency": np.minimum(efficiency, 1.0),
    }


def calibrated(columns: dict[str, Float], scale: Scale) -> dict[str, Float]:
    """Put the same in µm and s beside each column where they are known."""
    found: dict[str, Float] = {}
    for name, values in columns.items():
        found[name] = values
        size, interval = scale
        if size is None or "_px" not in name:
            continue
        if name.endswith("_px_frame"):
            if interval is not None:
                found[name.replace("_px_frame", "_um_s")] = values * size / interval
        elif name.endswith("_px2"):
            found[name.replace("_px2", "_um2")] = values * size**2
        else:
            found[name.replace("_px", "_um")] = values * size
    return found


def summary(table: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Give one row per track of a table that has the columns of `steps`, ordered likewise."""
    groups = table.groupby("track_id", sort=True)
    columns: dict[str, Any] = {
        "start_frame": groups["frame"].min(),
        "end_frame": groups["frame"].max(),
        "n_frames": groups["frame"].size().astype(np.int64),
        "displacement_px": groups["displacement_px"].last(),
        "distance_px": groups["distance_px"].last(),
        "path_efficiency": groups["path_efficiency"].last(),
    }
    frames = (columns["end_frame"] - columns["start_frame"]).astype(np.float64)
    columns["mean_speed_px_frame"] = columns["distance_px"] / frames.where(frames > 0)
    columns["max_speed_px_frame"] = groups["speed_px_frame"].max()
    if scale.frame_interval_s is not None:
        columns["duration_s"] = frames * scale.frame_interval_s
    tracks: pd.DataFrame = pd.DataFrame(calibrated(columns, scale)).reset_index()
    return tracks


def mean_squared_displacement(
    motion: Motion, track: NDArray[Any], max_lag_frames: Optional[int], scale: Scale
) -> pd.DataFrame:
    """Average the squared displacement over all tracks and all pairs of frames at each lag."""
    n = len(track)
    codes = np.unique(track, return_inverse=True)[1] if n else np.zeros(0, np.int64)
    since = motion.frame - motion.frame[motion.first]
    longest = int(since.max()) if n else 0
    top = longest // 4 if max_lag_frames is None else min(max_lag_frames, longest)
    keys = codes * (2 * longest + 2) + since  # in order; no lag reaches the next track
    counts, squares = np.zeros(top, np.int64), np.zeros(top)
    for lag in range(1, top + 1):
        place = np.minimum(np.searchsorted(keys, keys + lag), max(0, n - 1))
        hit = np.flatnonzero(keys[place] == keys + lag)
        dy, dx = motion.y[place[hit]] - motion.y[hit], motion.x[place[hit]] - motion.x[hit]
        counts[lag - 1], squares[lag - 1] = len(hit), float((dy * dy + dx * dx).sum())
    lags = np.arange(1, top + 1, dtype=np.int64)
    columns: dict[str, Any] = {"lag_frames": lags}
    if scale.frame_interval_s is not None:
        columns["lag_s"] = lags * scale.frame_interval_s
    mean = np.divide(squares, counts, out=np.full(top, np.nan), where=counts > 0)
    columns.update(calibrated({"msd_px2": mean}, scale))
    table: pd.DataFrame = pd.DataFrame({**columns, "n_pairs": counts})
    return table


def analyse(
    table: pd.DataFrame, scale: Scale, max_lag_frames: Optional[int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Give the table with its cells' motion, one row per track, and the squared displacement."""
    track, frame = table["track_id"].to_numpy(), table["frame"].to_numpy()
    order = np.lexsort((frame, track))
    y, x = (table[name].to_numpy(np.float64)[order] for name in ("y", "x"))
    motion = follow(track[order], frame[order], y, x)
    columns = calibrated(steps(motion), scale)
    ordered = table.iloc[order].assign(**columns)
    tracks = summary(ordered, scale)
    msd = mean_squared_displacement(motion, track[order], max_lag_frames, scale)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return ordered.iloc[back], tracks, msd
