"""TrackMate's simple LAP tracker, without Fiji."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional, Tuple  # noqa: UP035 - read at run time

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class TrackMate(PipelineTask):
    """Link cells as TrackMate's simple LAP tracker does, and write its file; needs no Java.

    The assignments are those of `cyto.tracking.lap.LapTracker` without splitting and merging, on
    the columns ``x`` and ``y`` in their own unit.

    ``dataframe`` has one column more, ``TrackID``: from 0 in the order of the tracks' first cells,
    missing for cells that are in no track, as TrackMate knows none of a single cell, and for those
    that the size leaves out. ``xml`` is the text of a file that TrackMate in Fiji opens.

    Parameters
    ----------
    linking_max_distance
        Between a cell and itself one frame later, in the unit of ``x`` and ``y``.
    max_frame_gap
        Largest difference between the frame numbers of the two sides of a gap: 2 bridges one
        missing frame.
    gap_closing_max_distance
        Between the two sides of a gap.
    size_min, size_max
        Only cells with a ``size`` above and below are tracked; ``None``: no limit.
    spacing
        Width and height of a pixel in µm, where ``x`` and ``y`` are in µm, as
        `cyto.tabulation.sparse.LabelToSparse` took them; ``None`` where they are in px.

    Raises
    ------
    TaskInputError
        Frames or labels that are no whole numbers from 0, positions that are not finite, a label
        twice in a frame.

    Notes
    -----
    About 2 s for 100 frames of 500 cells, nearly all of it for the file, whose text is held in
    memory: 200 bytes per cell and frame.

    References
    ----------
    Tinevez et al., Methods 115, 80 (2017), doi:10.1016/j.ymeth.2016.09.016;
    Jaqaman et al., Nature Methods 5, 695 (2008), doi:10.1038/nmeth.1237.
    """

    linking_max_distance: float = Param(
        15.0, gt=0, help="how far a cell moves from frame to frame, at most; unit of x and y"
    )
    max_frame_gap: int = Param(
        5, ge=0, unit="frames", help="frame difference over a gap, at most; 0 closes none"
    )
    gap_closing_max_distance: float = Param(
        15.0, gt=0, help="how far apart the two sides of a gap are, at most; unit of x and y"
    )
    size_min: Optional[float] = Param(None, help="cells of this size or less are not tracked")
    size_max: Optional[float] = Param(None, help="cells of this size or more are not tracked")

    spacing: Optional[Tuple[float, float]] = Param(  # noqa: UP006 - read at run time
        None,
        gt=0,
        unit="µm",
        help="width and height of a pixel, if x and y are in µm; for the file",
    )

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "scipy")
    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "one row per cell per frame", columns=("label", "frame", "y", "x", "size")
        ),
        "image": Port("image", "its size is written into the file, (T, Y, X)", optional=True),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port("dataframe", "the table with its tracks", columns=("TrackID",)),
        "xml": Port("value", "text of a TrackMate file"),
    }

    def validate(self) -> None:
        """Check that some size is left."""
        low, high = self.size_min, self.size_max
        if low is not None and high is not None and low >= high:
            raise ParameterError(
                f"({low:g}) must be less than size_max ({high:g})",
                task=type(self).__name__,
                parameter="size_min",
                hint="or no cell is left",
            )

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Track the cells of ``dataframe``; gives ``dataframe`` and ``xml``."""
        from cyto.tracking._links import Limits
        from cyto.tracking._trackmate import track, write_xml

        limits = Limits(
            linking_px=self.linking_max_distance,
            gap_px=self.gap_closing_max_distance if self.max_frame_gap else None,
            max_frame_gap=self.max_frame_gap,
        )
        sizes = (self.size_min, self.size_max)
        found = track(data["dataframe"], limits, sizes, type(self).__name__)
        image = data.get("image")
        shape = None if image is None else tuple(image.shape)
        name = str(data.get("channel") or "image")
        xml = write_xml(found, limits, shape, self.spacing, name)
        return {"dataframe": found.table, "xml": xml}
