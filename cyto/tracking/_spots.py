"""What trackers take from a table of cells, and what they add to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto.errors import TaskInputError
from cyto.task.ports import refuse_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyto.tracking._tracks import Tracks

    Index = NDArray[np.int64]

KEY = "dataframe"


@dataclass(frozen=True)
class Spots:
    """The cells of a table in an order that does not depend on the table's.

    Parameters
    ----------
    order
        (n,) the table's rows by frame, then label (position where there is no label).
    frame, label
        (n,) int64 in that order; *label* is -1 where the table has none.
    yx
        (n, 2) float64, px, in that order; (n, 0) where positions were not asked for.
    """

    order: Index
    frame: Index
    label: Index
    yx: NDArray[np.float64]


def read_spots(table: pd.DataFrame, task: str, *, positions: bool = True) -> Spots:
    """Check *table* and give its cells.

    Raises
    ------
    TaskInputError
        It holds several samples; a column stands twice; a frame or label is no whole number or
        below 0; a position is no finite number; a label stands twice in a frame. Shows the first
        such row.
    """
    refuse_samples(table, task, KEY)
    if not table.columns.is_unique:
        twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
        raise TaskInputError(f"has two columns {', '.join(twice)}", task=task, key=KEY)
    frame = _whole(table, "frame", task)
    labelled = "label" in table.columns
    label = _whole(table, "label", task) if labelled else np.full(len(table), -1)
    names = ("y", "x") if positions else ()
    yx = np.empty((len(table), len(names)))
    for axis, name in enumerate(names):
        yx[:, axis] = _finite(table, name, task)
    order = np.lexsort((*yx.T[::-1], label, frame))
    if labelled:
        _check_unique(frame[order], label[order], task)
    return Spots(order, frame[order], label[order], yx[order])


def add_tracks(
    table: pd.DataFrame, spots: Spots, tracks: Tracks, *, merging: bool = False
) -> pd.DataFrame:
    """Give a copy of *table* with the tracks' columns, rows and index as they were."""
    result: pd.DataFrame = table.copy()
    names = ["track_id", "parent_track_id", *(["merged_into"] if merging else [])]
    for name in names:
        column = np.empty(len(table), np.int64)
        column[spots.order] = getattr(tracks, name)
        result[name] = column
    return result


def _numbers(table: pd.DataFrame, name: str, task: str) -> NDArray[np.float64]:
    column = table[name]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        if len(column):
            raise TaskInputError(
                f"column {name!r} must be numbers, received {column.dtype}", task=task, key=KEY
            )
        return np.empty(0)
    values: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _finite(table: pd.DataFrame, name: str, task: str) -> NDArray[np.float64]:
    values = _numbers(table, name, task)
    _refuse(~np.isfinite(values), table, name, "must be finite numbers", task)
    return values


def _whole(table: pd.DataFrame, name: str, task: str) -> Index:
    values = _numbers(table, name, task)
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values == np.floor(values)) & (values < 2**53))
    _refuse(wrong, table, name, "must be whole numbers from 0", task)
    return values.astype(np.int64)


def _refuse(wrong: NDArray[np.bool_], table: pd.DataFrame, name: str, rule: str, task: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        value: Any = table[name].iloc[rows[0]]
        raise TaskInputError(
            f"column {name!r} {rule}; row {table.index[rows[0]]} has {value} "
            f"({len(rows)} such row{'s' * (len(rows) > 1)} of {len(table)})",
            task=task,
            key=KEY,
            hint="drop or correct these rows before tracking",
        )


def _check_unique(frame: Index, label: Index, task: str) -> None:
    """Refuse a label that stands twice in a frame; both are ordered by frame, then label."""
    twice = np.flatnonzero((np.diff(frame) == 0) & (np.diff(label) == 0))
    if len(twice):
        raise TaskInputError(
            f"label {label[twice[0]]} stands twice in frame {frame[twice[0]]} "
            f"({len(twice)} such row{'s' * (len(twice) > 1)})",
            task=task,
            key=KEY,
            hint="a cell is one row per frame; track populations one by one, "
            "or drop the second rows",
        )


def tracks_of(spots: Spots, cells: pd.DataFrame, tracks: Tracks, task: str) -> Tracks:
    """Give the tracks of *spots* among those of all *cells*, which are ordered alike.

    Raises
    ------
    TaskInputError
        A spot is no cell of the movie; shows the first.
    """
    known = pd.MultiIndex.from_arrays([cells["frame"], cells["label"]])
    wanted = pd.MultiIndex.from_arrays([spots.frame, spots.label])
    place = known.get_indexer(wanted)
    lost = np.flatnonzero(place < 0)
    if len(lost):
        raise TaskInputError(
            f"has label {wanted[lost[0]][1]} in frame {wanted[lost[0]][0]}, the label movie does "
            f"not ({len(lost)} such row{'s' * (len(lost) > 1)} of {len(place)})",
            task=task,
            key=KEY,
            hint="give the label movie that the table was measured on",
        )
    return type(tracks)(
        tracks.track_id[place], tracks.parent_track_id[place], tracks.merged_into[place]
    )
