"""Tracking by overlap: a cell is where it was a frame ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class OverlapTracker(PipelineTask):
    """Link cells of adjacent frames so that the sum of their intersections over unions is greatest.

    For cells that move less than their width from frame to frame; faster ones need `LapTracker`.
    Cells are linked forward in time: a gap is only closed with what an earlier frame left over.

    Without ``dataframe``, a table is made with ``frame``, ``label``, ``y``, ``x`` (centroid, px)
    and ``area`` (px²), one row per cell per frame by frame, then label; else the given table gets
    the two columns.

    ===================  ======================================================================
    column               meaning
    ===================  ======================================================================
    ``track_id``         from 1, in the order of the first frame, then ``label``
    ``parent_track_id``  the mother's track, in every row of a daughter; -1 without
    ===================  ======================================================================

    Parameters
    ----------
    min_iou
        Intersection over union of a cell in its two frames, at least; 0 to 1, 0 takes any overlap.
    max_frame_gap
        Largest difference of the frame numbers of a link; 1 links adjacent frames only.
    divisions
        Whether a cell may be followed by two daughters, which start tracks of their own.
    min_daughter_overlap
        ``divisions`` only: the fraction of each daughter that lies in the mother's place, at
        least.
    relabel
        Whether to give the label movie with each cell's label replaced by its track; cells
        without a row in a given table become background.

    Raises
    ------
    TaskInputError
        A given table has a frame or label that is no whole number from 0, a label twice in a
        frame, or one that the movie has not.

    Notes
    -----
    Each frame's matching is an exact optimum (Hungarian method on the pairs that overlap), with
    no randomness. About 25 ms for a frame of 1024² with 500 cells; memory beside the movies is
    20 bytes per pixel of a frame, and 4 more per frame of ``max_frame_gap``.

    References
    ----------
    Kuhn, Naval Research Logistics Quarterly 2, 83 (1955), doi:10.1002/nav.3800020109.
    """

    min_iou: float = Param(
        0.1, ge=0, le=1, help="intersection over union of a cell in two frames, at least"
    )
    max_frame_gap: int = Param(1, ge=1, unit="frames", help="frame difference of a link, at most")
    divisions: bool = Param(False, help="let cells divide")
    min_daughter_overlap: float = Param(
        0.4, gt=0, le=1, help="fraction of a daughter that lies in her mother's place, at least"
    )
    relabel: bool = Param(True, help="give the label movie with label = track id")

    inputs: ClassVar[Mapping[str, Port]] = {
        "label": Port("label", "the cells, (T, Y, X)"),
        "dataframe": Port(
            "dataframe",
            "one row per cell per frame, to be extended",
            optional=True,
            columns=("frame", "label"),
        ),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per cell per frame",
            columns=("frame", "label", "track_id", "parent_track_id"),
        ),
        "label": Port("label", "label = track id; with relabel only", optional=True),
    }
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "scipy")

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Track the cells of ``label``; gives ``dataframe`` and perhaps ``label``."""
        from cyto.tracking._movie import relabel
        from cyto.tracking._overlap import Rules, overlap_links
        from cyto.tracking._spots import add_tracks, read_spots, tracks_of
        from cyto.tracking._tracks import number_tracks

        name = type(self).__name__
        rules = Rules(self.min_iou, self.max_frame_gap, self.divisions, self.min_daughter_overlap)
        given = data.get("dataframe")
        if given is not None:
            read_spots(given, name, positions=False)  # its faults first: linking takes longer
        cells, links = overlap_links(data["label"], rules)
        table = cells if given is None else given
        spots = read_spots(table, name, positions=False)
        tracks = tracks_of(spots, cells, number_tracks(links, len(cells)), name)
        table = add_tracks(table, spots, tracks)
        if not self.relabel:
            return {"dataframe": table}
        movie = relabel(data["label"], spots.frame, spots.label, tracks.track_id, name)
        return {"dataframe": table, "label": movie}
