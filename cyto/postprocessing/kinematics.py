"""How cells move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.postprocessing._checks import (
    require_finite,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class Kinematics(PipelineTask):
    """Measure step, velocity, speed and path of every track.

    ``dataframe`` is the given table, its rows in the same order, with

    ================================================  ===========  ==============================
    column                                            unit         meaning
    ================================================  ===========  ==============================
    ``step_px``, ``step_um``                          px, µm       from the row before
    ``vel_y_px_frame``, ``vel_x_px_frame``            px/frame     step by the frames it took
    ``vel_y_um_s``, ``vel_x_um_s``                    µm/s         the same
    ``speed_px_frame``, ``speed_um_s``                …            its length
    ``displacement_px``, ``displacement_um``          px, µm       from the track's first place
    ``distance_px``, ``distance_um``                  px, µm       travelled since, the sum of
                                                                   steps
    ``path_efficiency``                                            displacement by distance, 0 to
                                                                   1; missing before any motion
    ================================================  ===========  ==============================

    Steps are missing in a track's first row; a step over a gap counts as one, at constant speed.
    Columns in µm need the pixel size, those in µm/s the frame interval too.

    ``tracks`` has one row per track: ``track_id``, ``start_frame``, ``end_frame``, ``n_frames``
    (in which it is seen), ``displacement_px``, ``distance_px``, ``path_efficiency`` over the whole
    track, ``mean_speed_px_frame`` (distance by time), ``max_speed_px_frame``, ``duration_s``, and
    the same in µm and µm/s.

    ``msd`` is the mean squared displacement over all tracks and all pairs of frames at a lag:
    ``lag_frames``, ``lag_s``, ``msd_px2``, ``msd_um2``, ``n_pairs`` (averaged; they overlap, so
    long lags are less certain than the number says).

    Parameters
    ----------
    max_lag_frames
        Longest lag of ``msd``; ``None``: a quarter of the longest track.

    Raises
    ------
    TaskInputError
        A column is missing or holds no numbers; a place is missing or not finite; a track has two
        rows in a frame.

    Notes
    -----
    About 1.5 s per million rows. No randomness.

    References
    ----------
    Beltman, Marée and de Boer, Nat. Rev. Immunol. 9, 789 (2009), doi:10.1038/nri2638.
    """

    max_lag_frames: Optional[int] = Param(
        None, ge=1, unit="frames", help="longest lag of msd; null: a quarter of the longest track"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per tracked cell per frame",
            columns=("track_id", "frame", "y", "x"),
        )
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "the same with its motion", columns=("step_px", "speed_px_frame")
        ),
        "tracks": Port("dataframe", "one row per track", columns=("track_id", "distance_px")),
        "msd": Port("dataframe", "mean squared displacement", columns=("lag_frames", "msd_px2")),
    }

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Measure the tracks of ``dataframe``; gives ``dataframe``, ``tracks`` and ``msd``."""
        from cyto.postprocessing._kinematics import Scale, analyse

        table, task = data["dataframe"], type(self).__name__
        require_numbers(table, ["track_id", "frame", "y", "x"], task, "dataframe")
        require_one_row(table, ["track_id", "frame"], task, "dataframe")
        require_finite(table, ["frame", "y", "x"], task, "dataframe")
        scale = Scale(data.get("pixel_size_um"), data.get("frame_interval_s"))
        cells, tracks, msd = analyse(table, scale, self.max_lag_frames)
        return {"dataframe": cells, "tracks": tracks, "msd": msd}
