"""When the cells of a table die, from the brightness of a death marker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cyto.postprocessing._levels import Level, automatic

Float = NDArray[np.float64]
Int = NDArray[np.int64]

RISE_FRAMES = np.array([0.0, 0.5, 1, 2, 3, 5, 8, 13])
"""Time constants of the marker's rise that are tried; 0 is a step."""
DIM = 0.2
"""Quantile of a frame's cells that stands for its live cells; fewer must not be alive."""
COPIED = ("y", "x", "y_um", "x_um", "label")


@dataclass(frozen=True)
class Settings:
    """How to find deaths; see `cyto.postprocessing.death.CellDeath` for each field."""

    column: str
    method: str
    threshold: Optional[float]
    min_rise: Optional[float]
    threshold_sd: float
    background_column: Optional[str]
    relative_to: str
    confirm_frames: int


class Deaths(NamedTuple):
    """What `find` gives.

    *cells*: the given rows with ``alive`` and ``alive_probability``. *deaths*: one row per death.
    *level*: what live cells measure.
    """

    cells: pd.DataFrame
    deaths: pd.DataFrame
    level: Level


def find(table: pd.DataFrame, how: Settings, frame_interval_s: Optional[float]) -> Deaths:
    """Find the deaths among the cells of *table*, one row per track and frame in any order."""
    signal = _signal(table, how)
    level = automatic(signal, how.threshold_sd)
    if how.threshold is not None:
        level = level._replace(threshold=how.threshold)
    track, frame = table["track_id"].to_numpy(), table["frame"].to_numpy()
    order = np.lexsort((frame, track))
    bounds = np.flatnonzero(np.diff(track[order], prepend=np.nan) != 0)
    alive = np.ones(len(table), bool)
    died, at_start = [], []
    for rows in np.split(order, bounds[1:]) if len(order) else []:
        known = rows[np.isfinite(signal[rows])]
        place = _first_dead(frame[known], signal[known], level, how)
        if place is not None:
            died.append(known[place])
            at_start.append(place == 0)
            alive[rows[frame[rows] >= frame[known[place]]]] = False
    probability = _probability(signal, alive, level, order, bounds)
    cells = table.assign(alive=alive, alive_probability=probability)
    deaths = _table(table, np.array(died, np.int64), signal, np.array(at_start, bool))
    if frame_interval_s is not None:
        deaths.insert(2, "t_s", deaths["frame"] * frame_interval_s)
    return Deaths(cells, deaths, level)


def _signal(table: pd.DataFrame, how: Settings) -> Float:
    signal = table[how.column].to_numpy(np.float64, na_value=np.nan)
    if how.background_column is not None:
        signal = signal - table[how.background_column].to_numpy(np.float64, na_value=np.nan)
    if how.relative_to == "frame" and len(table):
        groups = pd.Series(signal).groupby(table["frame"].to_numpy())
        signal = signal - groups.transform("quantile", DIM).to_numpy(np.float64)
    return signal


def _first_dead(frame: Int, signal: Float, level: Level, how: Settings) -> Optional[int]:
    """Give the place of the first row in which a track is dead, or nothing."""
    above = _confirmed(signal > level.threshold, how.confirm_frames)
    if how.method == "threshold":
        return above
    rise = level.threshold - level.live if how.min_rise is None else how.min_rise
    onset = _onset(frame, signal, rise, how.confirm_frames)
    if onset is None and above is not None:
        # the marker may wash out later: look again up to where it has left
        left = np.flatnonzero(signal[above:] <= level.threshold)
        end = above + int(left[0]) if len(left) else len(signal)
        onset = _onset(frame[:end], signal[:end], rise, how.confirm_frames)
    return onset if onset is not None else 0 if above == 0 else None


def _confirmed(above: NDArray[np.bool_], frames: int) -> Optional[int]:
    """Give the first place from where *frames* rows, or all that remain, are above."""
    below = np.append(np.flatnonzero(~above), len(above))
    after = below[np.searchsorted(below, np.arange(len(above)))]
    length = after - np.arange(len(above))
    found = np.flatnonzero((length >= frames) | ((after == len(above)) & (length > 0)))
    return int(found[0]) if len(found) else None


def _onset(frame: Int, signal: Float, min_rise: float, frames: int) -> Optional[int]:
    """Give where a level that was constant begins to rise towards another, or nothing.

    Least squares of b + A · (1 - exp(-(t - t₀ + 1) / τ)) from t₀ on, b before, over all t₀ and
    some τ; the best is taken if it rises enough by the end, and explains far more than no change.
    """
    n = len(signal)
    if n < 3:
        return None
    y = signal - signal.mean()
    none = float(y @ y)
    rise, left = _fits(frame.astype(np.float64), y)
    left[rise < min_rise] = np.inf
    left[0] = np.inf
    place = int(np.argmin(left.min(axis=1)))
    best = float(left[place].min())
    # three more parameters: t₀, A, τ (Bayesian information criterion)
    if not np.isfinite(best) or n * np.log(max(best, 1e-12) / max(none, 1e-12)) > -3 * np.log(n):
        return None
    late = signal[place : place + frames]
    return place if late.min() > signal[:place].mean() else None


def _fits(t: Float, y: Float) -> tuple[Float, Float]:
    """Give the rise by the end and the sum of squares left, (n, τ), for each onset.

    *y* has mean 0. With g = 1 - c · exp(-(t - t₀) / τ), the sums of g, g² and g · y over the rows
    from t₀ on follow from those of the next onset.
    """
    n, tau = len(t), np.maximum(RISE_FRAMES, 1e-9)
    c = np.exp(-1 / tau)
    rise, left = np.zeros((2, n, len(tau)))
    e1, e2, ey = np.zeros((3, len(tau)))  # sums of e, e² and e · y, e = exp(-(t - t₀) / τ)
    total, none = 0.0, float(y @ y)
    for k in range(n - 1, -1, -1):
        decay = np.exp(-(t[k + 1] - t[k]) / tau) if k + 1 < n else np.zeros(len(tau))
        e1, e2, ey = 1 + decay * e1, 1 + decay**2 * e2, y[k] + decay * ey
        total += y[k]
        g1, g2, gy = n - k - c * e1, n - k - 2 * c * e1 + c**2 * e2, total - c * ey
        spread = np.maximum(g2 - g1**2 / n, 1e-12)
        rise[k] = gy / spread * (1 - c * np.exp(-(t[-1] - t[k]) / tau))
        left[k] = np.maximum(none - gy**2 / spread, 0)
    return rise, left


def _probability(
    signal: Float, alive: NDArray[np.bool_], level: Level, order: Int, bounds: Int
) -> Float:
    """Give the probability to be alive: logistic around the threshold, never rising again."""
    width = max((level.threshold - level.live) / 4, 1e-9)
    if not np.isfinite(width):
        return np.where(alive, 1.0, 0.0)
    away = np.clip((signal - level.threshold) / width, -500, 500)
    chance = 1 / (1 + np.exp(away))
    chance = np.where(alive, np.fmax(chance, 0.5), np.fmin(chance, np.nextafter(0.5, 0)))
    for rows in np.split(order, bounds[1:]):
        chance[rows] = np.fmin.accumulate(chance[rows])
    return chance


def _table(
    table: pd.DataFrame, rows: Int, signal: Float, at_start: NDArray[np.bool_]
) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "track_id": table["track_id"].to_numpy()[rows],
        "frame": table["frame"].to_numpy()[rows],
    }
    columns.update({name: table[name].to_numpy()[rows] for name in COPIED if name in table})
    columns.update(value=signal[rows], at_start=at_start)
    found = pd.DataFrame(columns)
    ordered: pd.DataFrame = found.sort_values(["frame", "track_id"], ignore_index=True)
    return ordered
