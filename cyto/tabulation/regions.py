"""What each cell measures: one row per cell per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cyto.errors import TaskInputError
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class RegionFeatures(PipelineTask):
    """Measure position, size, shape and intensity of every cell in every frame.

    A cell is all pixels of one label in one frame, in one piece or not. Rows are ordered by
    frame, then label. Results equal `skimage.measure.regionprops`.

    ============================  ======  =========================================================
    column                        unit    meaning
    ============================  ======  =========================================================
    ``label``, ``frame``                  as in the label image; frames count from 0
    ``y``, ``x``                  px      centroid
    ``y_um``, ``x_um``            µm      the same, where the pixel size is known
    ``area``                      px²     number of pixels
    ``area_um2``                  µm²     the same, where the pixel size is known
    ``bbox_y0`` … ``bbox_x1``     px      bounding box, the ends left out
    ``mean``, ``median``, ``sd``  counts  of ``image``; ``sd`` divides by n
    ``sum``, ``min``, ``max``     counts  of ``image``
    ``<key>_mean`` …              counts  the same of each further image, by its input's key
    ``major_axis``                px      length of the ellipse with the same second moments
    ``minor_axis``                px      its width
    ``eccentricity``                      of that ellipse, 0 (disk) to 1 (line)
    ``orientation``               rad     of its long axis from the y axis, -π/2 to π/2
    ``perimeter``                 px      length of the outline, 4-connected
    ``solidity``                          area by area of the convex hull
    ============================  ======  =========================================================

    Parameters
    ----------
    shape
        Whether to measure the axes, eccentricity, orientation and perimeter.
    solidity
        Whether to measure the solidity; costs about 0.5 ms per cell.

    Notes
    -----
    About 30 ms for a frame of 1024² with 500 cells, 10 ms for each further image. Frames are
    measured one at a time, so memory beside the inputs is about 100 bytes per pixel of a frame.
    Not a number in an image makes that cell's intensities not a number.

    References
    ----------
    Perimeter: Benkrid and Crookes, "Design and FPGA implementation of a perimeter estimator"
    (2000), as in scikit-image, doi:10.7717/peerj.453.
    """

    shape: bool = Param(True, help="measure axes, eccentricity, orientation and perimeter")
    solidity: bool = Param(False, help="measure the solidity (slow: about 0.5 ms per cell)")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pyarrow", "skimage")
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
        from cyto.tabulation._regions import measure

        images = {key: data[key] for key in data if key != "label" and key not in CONTEXT_KEYS}
        self._check_shapes(data["label"], images)
        size_um = data.get("pixel_size_um")
        table = measure(
            data["label"],
            images,
            None if size_um is None else float(size_um),
            shape=self.shape,
            solidity=self.solidity,
        )
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
