"""Tracking by trackpy: the Crocker–Grier algorithm with memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.errors import UnavailableError
from cyto.task import Param, PipelineTask, Port, require_pixel_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class TrackPyTracker(PipelineTask):
    """Link cells into tracks with trackpy, an extra that is installed on its own.

    Cells are linked forward in time so that the sum of squared displacements is least. Nothing
    divides or merges. The columns are those of `LapTracker`.

    Parameters
    ----------
    linking_max_distance
        Between a cell and itself in the next frame in which it is seen (trackpy's
        ``search_range``).
    max_frame_gap
        Largest difference of the frame numbers of a link (trackpy's ``memory`` plus 1): 1 links
        adjacent frames only.
    adaptive_stop
        Where cells are too crowded to decide, the distance is lowered down to this one; ``None``
        gives up with an error.
    adaptive_step
        Factor by which it is lowered at a time.
    units
        Of all distances; ``um`` needs the pixel size.

    Raises
    ------
    UnavailableError
        trackpy is not installed.
    TaskInputError
        The same as of `LapTracker`, and cells that are too crowded for the distance.

    Notes
    -----
    100 frames of 500 cells take 2 s. No randomness.

    References
    ----------
    Crocker and Grier, J. Colloid Interface Sci. 179, 298 (1996), doi:10.1006/jcis.1996.0217;
    trackpy, doi:10.5281/zenodo.4682814.
    """

    linking_max_distance: float = Param(
        15.0, gt=0, unit="px or µm", help="how far a cell moves from frame to frame, at most"
    )
    max_frame_gap: int = Param(1, ge=1, unit="frames", help="frame difference of a link, at most")
    adaptive_stop: Optional[float] = Param(
        None, gt=0, unit="px or µm", help="where crowded, lower the distance down to this"
    )
    adaptive_step: float = Param(0.95, gt=0, lt=1, help="factor by which it is lowered at a time")
    units: Literal["px", "um"] = Param("px", help="unit of all distances")

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "one row per cell per frame; y and x in px", columns=("frame", "y", "x")
        )
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "the table with its tracks", columns=("track_id", "parent_track_id")
        )
    }
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "trackpy")

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Track the cells of ``dataframe``; gives ``dataframe``."""
        name = type(self).__name__
        try:
            from cyto.tracking._trackpy import track
        except ModuleNotFoundError as error:
            if error.name != "trackpy":
                raise
            raise UnavailableError(
                f"{name}: trackpy is not installed here",
                hint="pip install trackpy, or use cyto.tracking.lap.LapTracker",
            ) from error
        pixel = 1.0 if self.units == "px" else require_pixel_size(data, name, "units: um")
        stop = self.adaptive_stop
        table = track(
            data["dataframe"],
            name,
            search_range=self.linking_max_distance / pixel,
            memory=self.max_frame_gap - 1,
            adaptive_stop=None if stop is None else stop / pixel,
            adaptive_step=self.adaptive_step,
        )
        return {"dataframe": table}
