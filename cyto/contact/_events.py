"""Runs of frames in which a pair of cells is in contact."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pandas as pd

_MEANS = ("contact_length_px", "contact_length_um")
_MINIMA = ("distance_px", "distance_um")
_TYPES = ("a_type", "b_type")


def join(
    pairs: pd.DataFrame, max_gap_frames: int, frame_interval_s: Optional[float]
) -> pd.DataFrame:
    """Join the rows of each pair into events; see `cyto.contact.events.ContactEvents`.

    *pairs* has one row per pair per frame, in any order.
    """
    pair = [*(name for name in _TYPES if name in pairs), "a", "b"]
    ordered = pairs.sort_values([*pair, "frame"], kind="stable", ignore_index=True)
    new = np.ones(len(ordered), bool)
    if len(ordered):
        codes = ordered.groupby(pair, sort=False).ngroup().to_numpy()
        frame = ordered["frame"].to_numpy()
        new[1:] = (np.diff(codes) != 0) | (np.diff(frame) > max_gap_frames + 1)
    events = _measure(ordered, pair, np.cumsum(new))
    if frame_interval_s is not None:
        events["start_s"] = events["start_frame"] * frame_interval_s
        events["end_s"] = events["end_frame"] * frame_interval_s
        events["duration_s"] = events["duration_frames"] * frame_interval_s
    return events


def _measure(ordered: pd.DataFrame, pair: list[str], event: Any) -> pd.DataFrame:
    groups = ordered.groupby(event, sort=True)
    columns: dict[str, Any] = {name: groups[name].first() for name in ("a", "b")}
    columns.update({name: groups[name].first() for name in pair if name in _TYPES})
    columns["start_frame"] = groups["frame"].min()
    columns["end_frame"] = groups["frame"].max()
    columns["duration_frames"] = columns["end_frame"] - columns["start_frame"] + 1
    columns["n_frames"] = groups["frame"].size().astype(np.int64)
    columns.update({f"mean_{name}": groups[name].mean() for name in _MEANS if name in ordered})
    columns.update({f"min_{name}": groups[name].min() for name in _MINIMA if name in ordered})
    events: pd.DataFrame = pd.DataFrame(columns)
    return events


def tidy(events: pd.DataFrame) -> pd.DataFrame:
    """Order the events by time and number them from 1."""
    ordered: pd.DataFrame = events.sort_values(
        ["start_frame", "a", "b"], kind="stable", ignore_index=True
    )
    ordered.insert(0, "event", np.arange(1, len(ordered) + 1, dtype=np.int64))
    return ordered
