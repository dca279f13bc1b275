"""Masks that come as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class ImageToLabel(PipelineTask):
    """Take a mask or label image, read as an image, for the cells.

    Parameters
    ----------
    mode
        ``labels``: a pixel's value is its cell's label, 0 is background. ``components``: every
        pixel other than 0 is cell, and each connected piece is one, numbered from 1 in each frame
        by its first pixel.
    connectivity
        ``components``: whether pixels that meet at a corner are connected (8) or not (4).

    Raises
    ------
    TaskInputError
        ``labels``: values below 0, above 4294967295, or not whole; shows one of them, and where.

    Notes
    -----
    The result is uint16, or uint32 for labels above 65535. Values of a float image are taken when
    all are whole. About 1 ms per frame of 1024², 3 ms for ``components``.
    """

    mode: Literal["labels", "components"] = Param(
        "labels", help="values are labels, or each connected piece is a cell"
    )
    connectivity: Literal[4, 8] = Param(8, help="components: neighbours of a pixel")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cv2")
    inputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "a mask or label image, (T, Y, X)")
    }
    outputs: ClassVar[Mapping[str, Port]] = {"label": Port("label", "the cells, (T, Y, X)")}
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Take ``image`` for ``label``."""
        from cyto.segmentation import _image_to_label

        if self.mode == "labels":
            return {
                "label": _image_to_label.as_labels(
                    data["image"], type(self).__name__, data.get("frame_offset") or 0
                )
            }
        return {"label": _image_to_label.components(data["image"], self.connectivity)}
