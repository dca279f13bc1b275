"""Labels tidied: what is no cell goes, what is missing in a cell is filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask, Port, require_pixel_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class LabelFilter(PipelineTask):
    """Drop cells by size or place, and fill their holes.

    A cell is all pixels of one label in one frame. Holes are filled first, then cells are judged.
    The cells that stay keep their labels, unless ``relabel`` is set.

    Parameters
    ----------
    min_area_px2, max_area_px2
        Smaller and larger cells are dropped; ``None`` is no limit.
    min_area_um2, max_area_um2
        The same in µm²; give a limit in one of the units.
    clear_border
        Whether to drop cells that touch the image's edge.
    fill_holes
        Whether background that is enclosed by one cell alone becomes that cell. A hole with
        another cell in it, or between several cells, or at the image's edge, stays.
    relabel
        Whether to number the cells of each frame from 1, in the order of their labels. Not for
        labels that are track ids.

    Raises
    ------
    ParameterError
        Limits that no cell can meet; one limit in two units.
    TaskInputError
        Limits in µm² and no known pixel size.

    Notes
    -----
    The result has the type of the labels. About 4 ms per frame of 1024² with 500 cells, 8 ms with
    ``fill_holes``.
    """

    min_area_px2: Optional[float] = Param(
        None, ge=0, unit="px²", help="smaller cells are dropped; null: no limit"
    )
    max_area_px2: Optional[float] = Param(
        None, gt=0, unit="px²", help="larger cells are dropped; null: no limit"
    )
    min_area_um2: Optional[float] = Param(
        None, ge=0, unit="µm²", help="the same in µm²; null: no limit"
    )
    max_area_um2: Optional[float] = Param(
        None, gt=0, unit="µm²", help="the same in µm²; null: no limit"
    )
    clear_border: bool = Param(False, help="drop cells that touch the image's edge")
    fill_holes: bool = Param(False, help="fill holes that one cell encloses")
    relabel: bool = Param(False, help="number the cells of each frame from 1")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cv2")
    inputs: ClassVar[Mapping[str, Port]] = {"label": Port("label", "the cells, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {"label": Port("label", "the cells that stay")}
    framewise: ClassVar[bool] = True

    def validate(self) -> None:
        """Check the limits."""
        for name in ("min", "max"):
            if None not in self._pair(name):
                raise self._error(
                    f"{name}_area_px2",
                    "and the limit in µm² exclude each other",
                    "give one of them",
                )
        for unit in ("px2", "um2"):
            low, high = getattr(self, f"min_area_{unit}"), getattr(self, f"max_area_{unit}")
            if low is not None and high is not None and low > high:
                raise self._error(
                    f"min_area_{unit}",
                    f"({low:g}) is more than max_area_{unit} ({high:g})",
                    "no cell could pass both limits",
                )

    def _pair(self, name: str) -> tuple[Optional[float], Optional[float]]:
        return getattr(self, f"{name}_area_px2"), getattr(self, f"{name}_area_um2")

    def _error(self, parameter: str, message: str, hint: str) -> ParameterError:
        return ParameterError(message, task=type(self).__name__, parameter=parameter, hint=hint)

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Filter every frame of ``label``; gives ``label``."""
        from cyto.segmentation._label_filter import Rules, filtered

        rules = Rules(
            least_px2=self._limit(data, "min"),
            most_px2=self._limit(data, "max"),
            clear_border=self.clear_border,
            fill_holes=self.fill_holes,
            relabel=self.relabel,
        )
        return {"label": filtered(data["label"], rules)}

    def _limit(self, data: TaskData, name: str) -> Optional[float]:
        """Give a limit in px²."""
        area_px2, area_um2 = self._pair(name)
        if area_um2 is None:
            return area_px2
        size_um = require_pixel_size(data, type(self).__name__, f"{name}_area_um2")
        return area_um2 / size_um**2
