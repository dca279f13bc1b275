"""How densely cells lie, as an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, List, Optional  # noqa: UP035 - read at run time

from cyto.errors import TaskInputError
from cyto.postprocessing._checks import check_place_columns, placed, require_finite
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import refuse_samples

if TYPE_CHECKING:
    from cyto._typing import TaskData


class KernelDensityEstimation(PipelineTask):
    """Estimate the density of cells in every frame, a sum of one Gaussian per cell.

    ``image`` is (T, Y, X) float32, cells per px²: its sum over a frame is the number of cells, but
    for what the Gaussians leave outside. ``gradient`` has the same shape, the length of the slope,
    cells per px³. With ``downscale_factor`` f both have a value for each f × f pixels, computed at
    their centre, and the pixel size grows with it.

    Parameters
    ----------
    bandwidth_px
        Standard deviation of the Gaussians, px; ``None``: by Scott's rule in each frame, for y and
        x apart: standard deviation of the cells' places times n^(-1/6), at least 1 px.
    downscale_factor
        Width of a pixel of the result in pixels of the image.
    gradient
        Whether to give ``gradient`` too.
    columns
        The columns with row and column of a cell's place, px.
    height_px, width_px
        Size of the image where ``image`` is not given; ``None``: up to the last cell.

    Raises
    ------
    TaskInputError
        A column is missing or holds no numbers; a place is missing or not finite; a cell is in a
        frame that ``image`` has not.

    Notes
    -----
    About 60 ms for a frame of 1024² with 500 cells, twice that for ``gradient``; memory is 4 bytes
    per pixel of the results.

    References
    ----------
    Scott, Multivariate Density Estimation, 2nd ed. (2015), doi:10.1002/9781118575574.
    """

    bandwidth_px: Optional[float] = Param(
        None, gt=0, unit="px", help="standard deviation of the Gaussians; null: Scott's rule"
    )
    downscale_factor: int = Param(1, ge=1, help="pixels of the image to a pixel of the result")
    gradient: bool = Param(False, help="give the slope too")
    columns: List[str] = Param(  # noqa: UP006 - read at run time
        ["y", "x"], help="columns with a cell's place, px: its row, its column"
    )
    height_px: Optional[int] = Param(
        None, ge=1, unit="px", help="the image's height, where no image is given"
    )
    width_px: Optional[int] = Param(
        None, ge=1, unit="px", help="the image's width, where no image is given"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port("dataframe", "cells per frame", columns=("frame", "y", "x")),
        "image": Port("image", "gives number and size of the frames", optional=True),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "density, cells per px²"),
        "gradient": Port("image", "length of its slope, cells per px³", optional=True),
    }

    def validate(self) -> None:
        """Check that there are two columns."""
        check_place_columns(self.columns, type(self).__name__)

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Estimate the density of every frame; gives ``image``, and ``gradient`` on request."""
        from cyto.postprocessing._density import Grid, stack

        table = placed(data["dataframe"], self.columns, type(self).__name__)
        refuse_samples(table, type(self).__name__, "dataframe")
        require_finite(table, ["frame", "y", "x"], type(self).__name__, "dataframe")
        frames, height, width = self._shape(table, data.get("image"))
        grid = Grid(height, width, self.downscale_factor)
        result: dict[str, Any] = {"image": stack(table, frames, grid, self.bandwidth_px)}
        if self.gradient:
            result["gradient"] = stack(table, frames, grid, self.bandwidth_px, slope=True)
        if data.get("pixel_size_um") is not None:
            result["pixel_size_um"] = data["pixel_size_um"] * self.downscale_factor
        return result

    def _shape(self, table: Any, image: Any) -> tuple[int, int, int]:
        """Give number, height and width of the frames."""
        last = {name: int(table[name].max()) for name in ("frame", "y", "x") if len(table)}
        shape = image.shape if image is not None else (None, self.height_px, self.width_px)
        found = [
            size if size is not None else last.get(name, -1) + 1
            for size, name in zip(shape, ("frame", "y", "x"))
        ]
        if image is not None and last.get("frame", -1) >= found[0]:
            raise TaskInputError(
                f"has cells in frame {last['frame']}, the image has {found[0]} frames",
                task=type(self).__name__,
                key="dataframe",
                hint="table and image must be of the same movie",
            )
        return found[0], max(1, found[1]), max(1, found[2])
