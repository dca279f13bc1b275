"""Kaplan–Meier curves and log-rank tests of tracked cells, computed by lifelines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd

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
LIFETIME = {
    "group": "str",
    "track_id": "int64",
    "start_frame": "int64",
    "frames": "int64",
    "died": "bool",
}


class Survived(NamedTuple):
    """What `analyse` gives; see `cyto.postprocessing.survival.Survival`."""

    curve: pd.DataFrame
    comparison: pd.DataFrame
    summary: pd.DataFrame
    lifetimes: pd.DataFrame


def analyse(
    groups: Mapping[str, pd.DataFrame],
    *,
    origin: str,
    start_column: Optional[str],
    confidence: float,
    frame_interval_s: Optional[float],
) -> Survived:
    """Follow the cells of each group's table, which has ``track_id``, ``frame``, ``alive``."""
    followed = {name: _follow(table, origin, start_column) for name, table in groups.items()}
    lifetimes = {name: life[life["start_frame"] >= 0] for name, life in followed.items()}
    curves = [_curve(name, life, confidence) for name, life in lifetimes.items() if len(life)]
    tests = [
        (one, two, *_log_rank(lifetimes[one], lifetimes[two]))
        for one, two in combinations(lifetimes, 2)
    ]
    rows = [
        _summary(name, followed[name], next((c for c, n in curves if n == name), None))
        for name in groups
    ]
    tables = Survived(
        _typed([curve for curve, _ in curves], CURVE),
        _typed([pd.DataFrame(tests, columns=list(COMPARISON))], COMPARISON),
        pd.DataFrame(rows, columns=list(SUMMARY)).astype(SUMMARY),
        _typed([life.assign(group=name) for name, life in lifetimes.items()], LIFETIME),
    )
    return tables if frame_interval_s is None else _in_seconds(tables, frame_interval_s)
