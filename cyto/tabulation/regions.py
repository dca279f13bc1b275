"""What each cell measures: one row per cell per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import TaskInputError
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class RegionFeatures(PipelineTask):
    """Measure position, size, shape and intensity of every cell in every frame.

    A cell is all pixels of one label in one frame, in one piece or not. Rows are ordered by
    frame, then label. Results equal `skimage.measure.regionprops`, where it has them.

    ============================  ======  =========================================================
    column                        unit    meaning
    ============================  ======  =========================================================
    ``label``, ``frame``                  as in the label image; frames count from 0
    ``t_s``                       s       time of the frame, where the frame interval is known
    ``y``, ``x``                  px      centroid
    ``area``                      px²     number of pixels
    ``bbox_y0`` … ``bbox_x1``     px      bounding box, the ends left out
    ``mean``, ``median``, ``sd``  counts  of ``image``; ``sd`` divides by n
    ``sum``, ``min``, ``max``     counts  of ``image``
    ``<key>_mean`` …              counts  the same of each further image, by its input's key
    ``major_axis``                px      length of the ellipse with the same second moments
    ``minor_axis``                px      its width
    ``eccentricity``                      of that ellipse, 0 (disk) to 1 (line)
    ``orientation``               rad     of its long axis from the y axis, -π/2 to π/2
    ``elongation``                        ``major_axis / minor_axis``: 1 (disk) to ∞ (line)
    ``perimeter``                 px      length of the outline, 4-connected
    ``roundness``                         perimeter of the disk of the same area by ``perimeter``;
                                          about 1 (disk) or less; not a number for a perimeter of 0
    ``solidity``                          area by area of the convex hull
    ``feret_diameter``            px      greatest distance between two points of the convex hull
    ============================  ======  =========================================================

    Where the pixel size is known, ``y_um``, ``x_um``, ``area_um2``, ``major_axis_um``,
    ``minor_axis_um``, ``perimeter_um`` and ``feret_diameter_um`` stand beside them.

    Parameters
    ----------
    shape
        Whether to measure the axes, eccentricity, orientation, elongation, perimeter, roundness.
    solidity
        Whether the shape includes what needs the convex hull: solidity and Feret diameter.

    Raises
    ------
    TaskInputError
        An image is of another shape than the label image; shows both.

    Notes
    -----
    About 7 ms for a frame of 1024² with 500 cells, 2 ms for each further image, with Numba: its
    loops are compiled once per machine (2 s) and loaded later (0.2 s). Without Numba the results
    are the same to rounding, in about 300 ms, of which the convex hulls are most. Frames are
    measured one at a time, so memory beside the inputs is about 20 bytes per pixel of a frame.
    Not a number in an image makes that cell's intensities not a number.

    Roundness and elongation follow ITK (scikit-image has neither): perimeter based, so that both
    a long and a ragged cell are not round; ImageJ's "Round" is ``minor_axis / major_axis``. The
    orientation of a cell without a long axis is scikit-image's, -π/4; along x it may be π/2 or
    -π/2, which is the same line.

    References
    ----------
    Perimeter: Benkrid and Crookes, "Design and FPGA implementation of a perimeter estimator"
    (2000), as in scikit-image, doi:10.7717/peerj.453. Roundness, elongation: Lehmann, Insight
    Journal (2007), doi:10.54294/q6auw4. Convex hull: Andrew, Inf. Process. Lett. 9, 216 (1979),
    doi:10.1016/0020-0190(79)90072-3.
    """

    shape: bool = Param(
        True, help="measure axes, eccentricity, orientation, elongation, perimeter, roundness"
    )
    solidity: bool = Param(True, help="measure the convex hull: solidity and Feret diameter")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pyarrow")
    inputs: ClassVar[Mapping[str, Port]] = {
        "label": Port("label", "the cells, (T, Y, X)"),
        "image": Port("image", "intensities to measure, (T, Y, X)", optional=True),
    }
    more_inputs: ClassVar[Port] = Port("image", "further intensities; the key names the columns")
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per cell per frame",
            columns=("label", "frame", "y", "x", "area"),
        )
    }
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Measure every frame; gives ``dataframe``."""
        from cyto.tabulation._regions import Options, measure

        beside = {"label", "frame_offset", *CONTEXT_KEYS}
        images = {key: data[key] for key in data if key not in beside}
        self._check_shapes(data["label"], images)
        options = Options(
            shape=self.shape,
            solidity=self.solidity,
            pixel_size_um=_number(data.get("pixel_size_um")),
            frame_interval_s=_number(data.get("frame_interval_s")),
        )
        table = measure(data["label"], images, options, int(data.get("frame_offset") or 0))
        return {"dataframe": table}

    def _check_shapes(self, labels: Any, images: Mapping[str, Any]) -> None:
        for key, image in images.items():
            if image.shape != labels.shape:
                raise TaskInputError(
                    f"has the shape {tuple(image.shape)}, the label image {tuple(labels.shape)}",
                    task=type(self).__name__,
                    key=key,
                    hint="image and label must be of the same frames and pixels, (T, Y, X)",
                )


def _number(value: Any) -> Optional[float]:
    return None if value is None else float(value)
