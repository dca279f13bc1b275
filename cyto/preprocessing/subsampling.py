"""Movies with fewer pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class Subsampling(PipelineTask):
    """Keep every n-th row and column of each frame, beginning with the first.

    Nothing is averaged: pixels are left out. The pixel size grows with the step; where rows and
    columns have different steps, it is not known any more.

    Parameters
    ----------
    step_y, step_x
        Every how many rows and columns one is kept, 1 or more.

    Notes
    -----
    Far less than 1 ms per frame of 1024².
    """

    step_y: int = Param(1, ge=1, unit="px", help="keep every so many rows")
    step_x: int = Param(1, ge=1, unit="px", help="keep every so many columns")

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "a movie, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "fewer pixels, (T, Y, X)")}
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Take pixels of ``image``; gives ``image``, and its pixel size where it was known."""
        image = data["image"][:, :: self.step_y, :: self.step_x]
        size = data.get("pixel_size_um")
        if size is None:
            return {"image": image}
        known = size * self.step_x if self.step_x == self.step_y else None
        return {"image": image, "pixel_size_um": known}
