"""The call of trackpy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import trackpy

from cyto.errors import TaskInputError
from cyto.tracking._spots import add_tracks, read_spots
from cyto.tracking._tracks import NONE, Tracks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyto.tracking._spots import Spots


def track(table: pd.DataFrame, task: str, **how: Any) -> pd.DataFrame:
    """Give a copy of *table* with the tracks that `trackpy.link` finds."""
    spots = read_spots(table, task)
    first = np.zeros(0, np.int64) if not len(table) else _particles(spots, task, how)
    track_id = _by_first_row(first)
    none = np.full(len(track_id), NONE)
    return add_tracks(table, spots, Tracks(track_id, none, none))


def _particles(spots: Spots, task: str, how: dict[str, Any]) -> NDArray[np.int64]:
    cells = pd.DataFrame({"y": spots.yx[:, 0], "x": spots.yx[:, 1], "frame": spots.frame})
    logging.getLogger("trackpy").setLevel(logging.WARNING)  # it logs every frame
    try:
        linked = trackpy.link(cells, pos_columns=["y", "x"], **how)
    except trackpy.SubnetOversizeException as error:
        raise TaskInputError(
            f"cells are too crowded to be linked over {how['search_range']:g} px: {error}",
            task=task,
            key="dataframe",
            hint="lower linking_max_distance, or set adaptive_stop",
        ) from error
    particles: NDArray[np.int64] = linked["particle"].reindex(cells.index).to_numpy(np.int64)
    return particles


def _by_first_row(names: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give *names* numbers from 1 in the order in which they first stand."""
    _, first, place = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[place]
