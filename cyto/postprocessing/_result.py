"""The analysts' table: one row per cell per frame of all populations, and what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd

from cyto.postprocessing._kinematics import follow, steps

UNITS = {"sum": "counts", "area": "px²", "area_um2": "µm²"}
STATISTICS = {
    "mean": "mean",
    "median": "median",
    "sd": "standard deviation",
    "sum": "sum",
    "min": "least value",
    "max": "greatest value",
}
BEFORE = {
    "id": ("number of the row, from 1", ""),
    "track_id": ("the cell's track, unique within its cell_type", ""),
    "cell_type": ("population of the cell", ""),
    "frame": ("number of the frame, from 0", ""),
    "t_s": ("time since frame 0", "s"),
    "x_um": ("place of the cell's centroid along x", "µm"),
    "y_um": ("place of the cell's centroid along y", "µm"),
    "z_um": ("place along z; 0, as the movie has one plane", "µm"),
}
AFTER = {
    "alive_probability": ("probability that the cell is alive, below 0.5 once it is dead", ""),
    "vel_x": ("velocity along x since the track's row before; missing in its first", "µm/s"),
    "vel_y": ("velocity along y, likewise", "µm/s"),
    "vel_z": ("velocity along z; 0, as the movie has one plane", "µm/s"),
    "speed": ("length of the velocity", "µm/s"),
    "contact": ("whether the cell is in contact in this frame; missing where not measured", ""),
    "contact_cell_ids": ("the cells that it is in contact with, parted by ';'", ""),
    "contact_count": ("how many they are", ""),
}


@dataclass(frozen=True)
class Settings:
    """What the table holds; see `cyto.postprocessing.result_table.ResultTable`."""

    statistics: Sequence[str]
    columns: Sequence[str]
    id_column: str
    interval_s: float
    pixel_size_um: Optional[float]


class Partners(NamedTuple):
    """Who is in contact with whom, each pair seen from both sides.

    *populations*: those whose contacts are measured. *rows*: ``cell_type``, ``frame``, ``cell``,
    ``partner``.
    """

    populations: tuple[str, ...]
    rows: pd.DataFrame


def build(
    populations: Mapping[str, pd.DataFrame], partners: Optional[Partners], how: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the table and its dictionary; *partners* is ``None`` where contacts are not measured."""
    means = _means(populations, how.statistics)
    parts = [
        _population(name, table, partners, means[name], how) for name, table in populations.items()
    ]
    order = list(dict.fromkeys(c for m in means.values() for c in m))
    names = [*BEFORE, *order, *AFTER, *how.columns]
    table = pd.concat(parts, ignore_index=True).reindex(columns=names)
    table = table.sort_values(["frame", "cell_type", "track_id"], kind="stable", ignore_index=True)
    table["id"] = np.arange(1, len(table) + 1, dtype=np.int64)
    for name in order:
        table[name] = table[name].astype(np.float64)
    return table, _dictionary(order, how.columns)


def _means(
    populations: Mapping[str, pd.DataFrame], statistics: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Give the intensity columns of each population: new name, then old.

    A plain ``mean`` is of the population's own image, and gets its name.
    """
    found: dict[str, dict[str, str]] = {}
    for name, table in populations.items():
        columns: dict[str, str] = {}
        for column in map(str, table.columns):
            for statistic in statistics:
                if column == statistic:
                    columns[f"{name}_{statistic}"] = column
                elif column.endswith(f"_{statistic}"):
                    columns[column] = column
        found[name] = columns
    return found


def _population(
    name: str,
    table: pd.DataFrame,
    partners: Optional[Partners],
    means: Mapping[str, str],
    how: Settings,
) -> pd.DataFrame:
    ordered = table.sort_values(["track_id", "frame"], ignore_index=True)
    n = len(ordered)
    y, x = (_microns(ordered, axis, how.pixel_size_um) for axis in ("y", "x"))
    track, frame = ordered["track_id"].to_numpy(), ordered["frame"].to_numpy()
    moved = steps(follow(track, frame, y, x))
    chance = ordered.get("alive_probability", ordered.get("alive", pd.Series(np.nan, range(n))))
    columns: dict[str, Any] = {
        "id": np.zeros(n, np.int64),
        "track_id": track,
        "cell_type": pd.Series([name] * n, dtype="str"),
        "frame": frame,
        "t_s": frame * how.interval_s,
        "x_um": x,
        "y_um": y,
        "z_um": np.zeros(n),
        **{new: _numbers(ordered[old]) for new, old in means.items()},
        "alive_probability": _numbers(chance),
        "vel_x": moved["vel_x_px_frame"] / how.interval_s,
        "vel_y": moved["vel_y_px_frame"] / how.interval_s,
        "vel_z": np.zeros(n),
        "speed": moved["speed_px_frame"] / how.interval_s,
        **_contact(name, ordered[["frame", how.id_column]], partners),
        **{column: ordered[column] for column in how.columns if column in ordered},
    }
    built: pd.DataFrame = pd.DataFrame(columns)
    return built


def _microns(table: pd.DataFrame, axis: str, pixel_size_um: Optional[float]) -> Any:
    if f"{axis}_um" in table:
        return _numbers(table[f"{axis}_um"])
    return _numbers(table[axis]) * (pixel_size_um or np.nan)


def _numbers(column: Any) -> Any:
    return column.to_numpy(np.float64, na_value=np.nan)


def _contact(name: str, cells: pd.DataFrame, partners: Optional[Partners]) -> dict[str, Any]:
    """Give the three columns about contact; missing where it was not measured."""
    n = len(cells)
    if partners is None or name not in partners.populations:
        return {
            "contact": pd.Series(pd.NA, range(n), dtype="boolean"),
            "contact_cell_ids": pd.Series(None, range(n), dtype="object"),
            "contact_count": pd.Series(pd.NA, range(n), dtype="Int64"),
        }
    mine = partners.rows[partners.rows["cell_type"] == name].sort_values("partner")
    groups = mine.groupby(["frame", "cell"])["partner"]
    texts = groups.agg(lambda ids: ";".join(map(str, ids))) if len(mine) else groups.size()
    place = pd.MultiIndex.from_frame(cells)
    count = groups.size().reindex(place, fill_value=0).to_numpy(np.int64)
    return {
        "contact": pd.Series(count > 0, dtype="boolean"),
        "contact_cell_ids": pd.Series(
            texts.reindex(place, fill_value="").to_numpy(), dtype="object"
        ),
        "contact_count": pd.Series(count, dtype="Int64"),
    }


def _dictionary(means: Sequence[str], extra: Sequence[str]) -> pd.DataFrame:
    rows = [(name, *meaning) for name, meaning in BEFORE.items()]
    for name in means:
        channel, _, statistic = name.rpartition("_")
        rows.append((name, f"{STATISTICS[statistic]} of {channel} over the cell", "counts"))
    rows += [(name, *meaning) for name, meaning in AFTER.items()]
    rows += [(name, "as the cells' table says", _unit(name)) for name in extra]
    table: pd.DataFrame = pd.DataFrame(rows, columns=["column", "meaning", "unit"], dtype="str")
    return table


def _unit(name: str) -> str:
    """Read a unit from a column's name, as these tables write them."""
    endings = {
        "_um_s": "µm/s",
        "_px_frame": "px/frame",
        "_px2": "px²",
        "_um2": "µm²",
        "_px": "px",
        "_um": "µm",
        "_s": "s",
        "_frames": "frames",
    }
    return UNITS.get(name) or next((u for end, u in endings.items() if name.endswith(end)), "")
