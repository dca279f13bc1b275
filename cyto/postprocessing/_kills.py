"""Deaths joined to the contacts before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Int = NDArray[np.int64]

COPIED = ("t_s", "y", "x", "y_um", "x_um", "at_start")


@dataclass(frozen=True)
class Settings:
    """How to attribute; see `cyto.postprocessing.kills.KillAttribution` for each field."""

    max_lag_frames: int
    min_contact_frames: int
    max_gap_frames: int
    frame_interval_s: Optional[float]


class Kills(NamedTuple):
    """What `attribute` gives.

    *deaths*: one row per death. *candidates*: one per death and cell in contact before it.
    *effectors*: one per effector.
    """

    deaths: pd.DataFrame
    candidates: pd.DataFrame
    effectors: pd.DataFrame


def attribute(
    deaths: pd.DataFrame, contacts: pd.DataFrame, everyone: Optional[Int], how: Settings
) -> Kills:
    """Find who touched whom before each death.

    *contacts* has ``frame``, ``effector`` and ``victim``, a pair once per frame; *everyone* are
    the ids of all effectors, where known.
    """
    known = _candidates(deaths, contacts, how)
    best = known[known["rank"] == 1].set_index("victim")
    kills = deaths[["track_id", "frame"]].copy()
    kills["killer"] = kills["track_id"].map(best["killer"]).fillna(-1).astype(np.int64)
    for name in ("contact_frames", "lag_frames", "share"):
        kills[name] = kills["track_id"].map(best[name])
    kills["contact_frames"] = kills["contact_frames"].fillna(0).astype(np.int64)
    kills["lag_frames"] = kills["lag_frames"].fillna(-1).astype(np.int64)
    counts = known.groupby("victim").size()
    kills["candidates"] = kills["track_id"].map(counts).fillna(0).astype(np.int64)
    kills = kills.assign(**{name: deaths[name] for name in COPIED if name in deaths})
    if how.frame_interval_s is not None:
        kills.insert(4, "contact_s", kills["contact_frames"] * how.frame_interval_s)
    ordered = kills.sort_values(["frame", "track_id"], ignore_index=True)
    return Kills(ordered, known, _effectors(ordered, contacts, everyone))


def _candidates(deaths: pd.DataFrame, contacts: pd.DataFrame, how: Settings) -> pd.DataFrame:
    """Give one row per death and possible killer, the likeliest first."""
    fates = deaths[["track_id", "frame"]].rename(
        columns={"track_id": "victim", "frame": "death_frame"}
    )
    before = contacts.merge(fates, on="victim")
    before = before[before["frame"] < before["death_frame"]]
    runs: pd.DataFrame = _last_runs(before, how.max_gap_frames)
    runs["lag_frames"] = runs["death_frame"] - runs["end_frame"]
    enough = runs["contact_frames"] >= how.min_contact_frames
    runs = runs[enough & (runs["lag_frames"] <= how.max_lag_frames)]
    order = ["death_frame", "victim", "contact_frames", "lag_frames", "killer"]
    runs = runs.sort_values(order, ascending=[True, True, False, True, True], ignore_index=True)
    victims = runs.groupby("victim")
    runs["rank"] = victims.cumcount().astype(np.int64) + 1
    runs["share"] = runs["contact_frames"] / victims["contact_frames"].transform("sum")
    if how.frame_interval_s is not None:
        runs["contact_s"] = runs["contact_frames"] * how.frame_interval_s
        runs["lag_s"] = runs["lag_frames"] * how.frame_interval_s
    return runs


def _last_runs(before: pd.DataFrame, max_gap_frames: int) -> pd.DataFrame:
    """Give each pair's last run of contact before the death, and all its contact before it."""
    ordered = before.sort_values(
        ["victim", "effector", "frame"], ascending=[True, True, False], ignore_index=True
    )
    pair = [ordered["victim"], ordered["effector"]]
    gap = -ordered["frame"].groupby(pair).diff().fillna(-1)
    broken = (gap > max_gap_frames + 1).groupby(pair).cumsum() > 0
    total = ordered.groupby(["victim", "effector"])["frame"].size()
    last = ordered[~broken.astype(bool)].groupby(["victim", "effector"])
    runs: pd.DataFrame = pd.DataFrame(
        {
            "death_frame": last["death_frame"].first(),
            "start_frame": last["frame"].min(),
            "end_frame": last["frame"].max(),
            "contact_frames": last["frame"].size().astype(np.int64),
            "total_contact_frames": total.astype(np.int64),
        }
    )
    named: pd.DataFrame = runs.reset_index().rename(columns={"effector": "killer"})
    return named


def _effectors(
    kills: pd.DataFrame, contacts: pd.DataFrame, everyone: Optional[Int]
) -> pd.DataFrame:
    """Count the kills of each effector that met a victim, or of everyone."""
    met = contacts.groupby("effector")
    ids = np.unique(contacts["effector"] if everyone is None else everyone).astype(np.int64)
    mine = kills[kills["killer"] != -1].groupby("killer")
    columns: dict[str, Any] = {
        "kills": mine.size(),
        "first_kill_frame": mine["frame"].min(),
        "cells_met": met["victim"].nunique(),
        "contact_frames": met["frame"].size(),
    }
    table = pd.DataFrame({name: column.reindex(ids) for name, column in columns.items()}, index=ids)
    for name in table:
        table[name] = table[name].fillna(-1 if name == "first_kill_frame" else 0).astype(np.int64)
    table.insert(0, "track_id", ids)
    result: pd.DataFrame = table.reset_index(drop=True)
    return result
