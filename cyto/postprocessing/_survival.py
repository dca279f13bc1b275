"""Kaplan–Meier curves and log-rank tests of tracked cells, computed by lifelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, Optional

import lifelines
import lifelines.statistics
import numpy as np
import pandas as pd

from cyto.postprocessing._checks import cell_columns

CURVE = {
    "group": "str",
    "frames": "int64",
    "survival": "float64",
    "lower": "float64",
    "upper": "float64",
    "at_risk": "int64",
    "deaths": "int64",
    "censored": "int64",
}
COMPARISON = {"group_a": "str", "group_b": "str", "statistic": "float64", "p_value": "float64"}
SUMMARY = {
    "group": "str",
    "cells": "int64",
    "deaths": "int64",
    "censored": "int64",
    "left_out": "int64",
    "median_frames": "float64",
}
LIFETIME = {
    "group": "str",
    "track_id": "int64",
    "start_frame": "int64",
    "frames": "int64",
    "died": "bool",
}


@dataclass(frozen=True)
class Settings:
    """How to follow cells; see `cyto.postprocessing.survival.Survival` for each field."""

    origin: str
    start_column: Optional[str]
    confidence: float


class Survived(NamedTuple):
    """What `analyse` gives; see `cyto.postprocessing.survival.Survival`."""

    curve: pd.DataFrame
    comparison: pd.DataFrame
    summary: pd.DataFrame
    lifetimes: pd.DataFrame


def analyse(
    groups: Mapping[str, pd.DataFrame], how: Settings, frame_interval_s: Optional[float]
) -> Survived:
    """Follow the cells of each group's table, which has ``track_id``, ``frame``, ``alive``."""
    lifetimes = {name: _follow(table, how) for name, table in groups.items()}
    curves = {name: _curve(life, how.confidence) for name, life in lifetimes.items() if len(life)}
    tests = [
        (one, two, *_log_rank(lifetimes[one], lifetimes[two]))
        for one, two in combinations(curves, 2)
    ]
    rows = [_summary(name, table, lifetimes[name]) for name, table in groups.items()]
    tables = Survived(
        _stack(curves, CURVE),
        _typed(pd.DataFrame(tests, columns=list(COMPARISON)), COMPARISON),
        _typed(pd.DataFrame(rows, columns=list(SUMMARY)), SUMMARY),
        _stack(lifetimes, LIFETIME),
    )
    if frame_interval_s is not None:
        for table in tables:
            _add_seconds(table, frame_interval_s)
    return tables


def _add_seconds(table: pd.DataFrame, frame_interval_s: float) -> None:
    """Put times in seconds beside those in frames."""
    for frames, seconds in (("frames", "time_s"), ("median_frames", "median_s")):
        if frames in table:
            place = list(table.columns).index(frames) + 1
            table.insert(place, seconds, table[frames] * frame_interval_s)


def _follow(table: pd.DataFrame, how: Settings) -> pd.DataFrame:
    """Give how long each cell was seen alive, and whether it died then.

    Cells that are dead at their start, or never start, are left out.
    """
    cell = cell_columns(table)
    ordered = table.sort_values([*cell, "frame"])
    living = ordered["alive"].astype(bool)
    first = ordered.groupby(cell)["frame"].min()
    last = ordered.groupby(cell)["frame"].max()
    death = ordered[~living].groupby(cell)["frame"].min().reindex(first.index)
    start = first
    if how.start_column is not None:
        known = ordered[ordered[how.start_column].notna()]
        begun = known[known[how.start_column].astype(bool)]
        start = begun.groupby(cell)["frame"].min().reindex(first.index)
    if how.origin == "movie":
        movie = first.groupby("sample").transform("min") if "sample" in cell else first.min()
        start = start.where(first == movie)
    followed = start.notna() & ~(death <= start)
    end = death.fillna(last)
    cells = first.index[followed].to_frame(index=False)
    lives: pd.DataFrame = cells.assign(
        start_frame=start[followed].to_numpy(),
        frames=(end - start)[followed].to_numpy(),
        died=death.notna()[followed].to_numpy(),
    )
    return lives


def _curve(life: pd.DataFrame, confidence: float) -> pd.DataFrame:
    fitter = lifelines.KaplanMeierFitter(alpha=1 - confidence)
    fitter.fit(life["frames"], life["died"])
    events = fitter.event_table
    band = fitter.confidence_interval_
    curve: pd.DataFrame = pd.DataFrame(
        {
            "frames": events.index.to_numpy(),
            "survival": fitter.survival_function_.iloc[:, 0].to_numpy(),
            "lower": band.iloc[:, 0].to_numpy(),
            "upper": band.iloc[:, 1].to_numpy(),
            "at_risk": events["at_risk"].to_numpy(),
            "deaths": events["observed"].to_numpy(),
            "censored": events["censored"].to_numpy(),
        }
    )
    return curve


def _log_rank(one: pd.DataFrame, two: pd.DataFrame) -> tuple[float, float]:
    result = lifelines.statistics.logrank_test(
        one["frames"], two["frames"], one["died"], two["died"]
    )
    return float(result.test_statistic), float(result.p_value)


def _summary(name: str, table: pd.DataFrame, life: pd.DataFrame) -> tuple[Any, ...]:
    died = int(life["died"].sum())
    median = np.nan
    if len(life):
        fitter = lifelines.KaplanMeierFitter().fit(life["frames"], life["died"])
        median = float(fitter.median_survival_time_)
    left_out = len(table.drop_duplicates(cell_columns(table))) - len(life)
    median = median if np.isfinite(median) else np.nan
    return name, len(life), died, len(life) - died, left_out, median


def _stack(parts: Mapping[str, pd.DataFrame], dtypes: Mapping[str, str]) -> pd.DataFrame:
    named = [part.assign(group=name) for name, part in parts.items() if len(part)]
    joined = pd.concat(named, ignore_index=True) if named else pd.DataFrame(columns=list(dtypes))
    return _typed(joined, dtypes)


def _typed(table: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    columns = list(dtypes)
    if "sample" in table:
        columns.insert(1, "sample")
    ordered: pd.DataFrame = table[columns].astype(dict(dtypes))
    return ordered
