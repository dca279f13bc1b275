"""When cells die."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.errors import TaskInputError
from cyto.postprocessing._checks import (
    require_columns,
    require_finite,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cyto._typing import TaskData


class CellDeath(PipelineTask):
    """Find the frame in which each cell dies, from the brightness of a death marker.

    Once dead, a cell stays dead, however its brightness goes on. ``frame`` of a death is the
    first in which the cell is dead.

    ``dataframe`` is the given table with ``alive`` (true before the death) and
    ``alive_probability`` (0 to 1; at least 0.5 while alive, less once dead, and never rising
    along a track). ``deaths`` has one row per dead cell, ordered by frame, then track:
    ``track_id``, ``frame``, ``t_s`` (where the interval is known), ``y``, ``x``, ``y_um``,
    ``x_um``, ``label`` (where given), ``value`` (the signal in that frame) and ``at_start``: dead
    when first seen, so that the time of death is not known. ``levels`` holds ``live``, ``sd`` and
    ``threshold``, in the column's unit.

    Parameters
    ----------
    column
        The marker's brightness, as ``death_mean`` of a channel named ``death``.
    method
        ``threshold``: dead from the first frame above ``threshold``. ``change_point``: dead from
        where a constant brightness begins to rise (a step, or a saturating rise), fitted to each
        track; for cells that differ in brightness.
    threshold
        Brightness above which a cell is dead, counts; ``None`` finds it: live cells are the dim
        and dense ones, and the threshold is ``threshold_sd`` standard deviations above their
        level, but no less than a tenth of the way to the brightest cells.
    min_rise
        ``change_point``: smaller rises are no death, counts; ``None``: from live cells' level to
        the threshold.
    threshold_sd
        Robust standard deviations of live cells between their level and the threshold.
    background_column
        Is subtracted from ``column`` first; ``None``: nothing is.
    relative_to
        ``frame``: brightness above that of the dim cells of the same frame (its lowest fifth), for
        light or medium that changes; ``none``: as measured. A given ``threshold`` is relative too.
    confirm_frames
        A cell is dead only when it stays above for so many frames in a row, or to its track's
        end; 1 takes every flash.

    Raises
    ------
    TaskInputError
        A column is missing or holds no numbers; no row has a brightness; a track has two rows in
        a frame.

    Notes
    -----
    Tracks that divide end there, and their daughters are tracks of their own. Where no cell is
    alive in any frame, ``None`` for the threshold takes the dead for live: give one. Rows without
    a brightness say nothing. About 0.1 s per 100 000 rows, ``change_point`` 2 s.

    References
    ----------
    Level of live cells by the half-sample mode: Bickel and Frühwirth, Comput. Stat. Data Anal. 50,
    3500 (2006), doi:10.1016/j.csda.2005.07.011. Change point by least squares: Hinkley, Biometrika
    57, 1 (1970), doi:10.1093/biomet/57.1.1; accepted by the criterion of Schwarz, Ann. Stat. 6,
    461 (1978), doi:10.1214/aos/1176344136.
    """

    column: str = Param("death_mean", help="column with the death marker's brightness")
    method: Literal["threshold", "change_point"] = Param(
        "threshold", help="above a brightness, or from where it begins to rise"
    )
    threshold: Optional[float] = Param(
        None, unit="counts", help="a cell above it is dead; null: found from the live cells"
    )
    min_rise: Optional[float] = Param(
        None, ge=0, unit="counts", help="change_point: smaller rises are no death; null: found"
    )
    threshold_sd: float = Param(
        6.0, gt=0, help="standard deviations of live cells up to a threshold that is found"
    )
    background_column: Optional[str] = Param(
        None, help="column that is subtracted first; null: none"
    )
    relative_to: Literal["none", "frame"] = Param(
        "none", help="frame: measure brightness from the dim cells of the same frame"
    )
    confirm_frames: int = Param(
        2, ge=1, unit="frames", help="frames in a row above that make a death"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "one row per tracked cell per frame", columns=("track_id", "frame")
        )
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "the same with alive", columns=("alive", "alive_probability")
        ),
        "deaths": Port("dataframe", "one row per death", columns=("track_id", "frame", "at_start")),
        "levels": Port("value", "level and deviation of live cells, and the threshold"),
    }

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Find the deaths in ``dataframe``; gives ``dataframe``, ``deaths`` and ``levels``."""
        from cyto.postprocessing._death import Settings, find

        table, task = data["dataframe"], type(self).__name__
        columns = [c for c in (self.column, self.background_column) if c is not None]
        hint = "measure the marker with RegionFeatures, giving its channel as a further input"
        require_columns(table, columns, task, "dataframe", hint)
        require_numbers(table, ["track_id", "frame", *columns], task, "dataframe")
        require_one_row(table, ["track_id", "frame"], task, "dataframe")
        require_finite(table, ["frame"], task, "dataframe")
        self._require_brightness(table, columns)
        params: dict[str, Any] = dict(self.params)
        found = find(table, Settings(**params), data.get("frame_interval_s"))
        levels = {k: v if math.isfinite(v) else None for k, v in found.level._asdict().items()}
        return {"dataframe": found.cells, "deaths": found.deaths, "levels": levels}

    def _require_brightness(self, table: Any, columns: Sequence[str]) -> None:
        """Check that some row has a brightness; without one all cells would seem alive."""
        import numpy as np

        values = table[list(columns)].to_numpy(np.float64, na_value=np.nan)
        if len(table) and not np.isfinite(values).all(axis=1).any():
            raise TaskInputError(
                f"has no row with a finite number in {' and '.join(map(repr, columns))} "
                f"({len(table)} rows received)",
                task=type(self).__name__,
                key="dataframe",
                hint="measure the marker with RegionFeatures, giving its channel as a further "
                "input, or choose another column",
            )
