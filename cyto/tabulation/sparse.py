"""A label movie as the table that stage-based pipelines work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, List  # noqa: UP035 - read at run time

from cyto.errors import ParameterError, TaskInputError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class LabelToSparse(PipelineTask):
    """Measure every cell of every frame, with the columns of the stage-based pipelines.

    Rows are ordered by frame, then label. With sx, sy the spacing:

    ==================================  ========  =================================================
    column, in this order               unit      meaning
    ==================================  ========  =================================================
    ``label``                                     the mask's value
    ``y``, ``x``                        spacing   centroid: ``y = j · sy`` (row), ``x = i · sx``
    ``bbox_xstart``, ``bbox_ystart``    spacing   bounding box, first column and row
    ``bbox_xsize``, ``bbox_ysize``      spacing   its width and height
    ``i``, ``j``                        px        centroid: column and row
    ``bbox_istart`` … ``bbox_jsize``    px        the bounding box in pixels
    ``size``                            spacing²  area
    ``elongation``, ``flatness``                  long by short axis; in two dimensions the same
    ``roundness``                                 perimeter of the disk of this size by perimeter
    ``feret_diameter``, ``…_radius``    spacing   greatest extent, and half of it
    ``perimeter``                       spacing   length of the outline
    ``mass``, ``mean``, ``median``      counts    sum, mean and median of ``image``
    ``sd``                              counts    its standard deviation, divided by n
    ``frame``                                     from 0
    ``channel``                                   the name given
    ``alive``                                     empty
    ==================================  ========  =================================================

    Parameters
    ----------
    spacing
        Width and height of a pixel, in any unit; [1, 1] gives pixels.
    channel
        What the column ``channel`` holds.

    Raises
    ------
    TaskInputError
        Image and labels differ in shape; shows both.

    Notes
    -----
    `cyto.tabulation.regions.RegionFeatures` measures; see there for methods and cost. Pixels that
    are not square count as square ones of the same area for perimeter, Feret diameter, elongation
    and roundness.
    """

    spacing: List[float] = Param(  # noqa: UP006 - read at run time
        [1.0, 1.0], gt=0, help="width and height of a pixel, as µm; [1, 1] gives pixels"
    )
    channel: str = Param("", help="what the column 'channel' holds")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pyarrow")
    inputs: ClassVar[Mapping[str, Port]] = {
        "label": Port("label", "the cells, (T, Y, X)"),
        "image": Port("image", "intensities to measure, (T, Y, X)"),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per cell per frame",
            columns=("label", "y", "x", "i", "j", "size", "mean", "frame", "channel"),
        )
    }
    framewise: ClassVar[bool] = True

    def validate(self) -> None:
        """Check that the spacing has two numbers."""
        if len(self.spacing) != 2:
            raise ParameterError(
                f"must be two numbers, not {self.spacing!r}",
                task=type(self).__name__,
                parameter="spacing",
                hint="width and height of a pixel, such as [0.65, 0.65]",
            )

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Measure every frame; gives ``dataframe``."""
        from cyto.tabulation._sparse import sparse

        label, image = data["label"], data["image"]
        if label.shape != image.shape:
            raise TaskInputError(
                f"has the shape {tuple(image.shape)}, the label image {tuple(label.shape)}",
                task=type(self).__name__,
                key="image",
                hint="image and label must be of the same frames and pixels, (T, Y, X)",
            )
        spacing = (float(self.spacing[0]), float(self.spacing[1]))
        first = int(data.get("frame_offset") or 0)
        return {"dataframe": sparse(label, image, spacing, self.channel, first)}
