"""Light that comes from no cell, taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class BackgroundSubtraction(PipelineTask):
    """Subtract a smooth background, estimated frame by frame.

    ``rolling_ball``: where a ball that rolls under the image's surface reaches (a grey opening by a
    ball, as Sternberg and ImageJ have it); it stays below the cells, and at the lower edge of the
    noise. ``gaussian``: the neighbourhood's mean, which rises where cells are dense.

    Parameters
    ----------
    method
        How the background is found.
    radius_px
        Of the ball, larger than the largest cell's radius; or the Gaussian's standard deviation.
    ball_height
        The ball's half axis along intensities, counts; ``None`` is as many counts as `radius_px`
        has pixels. An image between 0 and 1 needs a small one, such as 0.1: below a ball of 50
        counts it is all background.
    shrink
        The background is estimated on an image whose pixels are means of this many by this many,
        and enlarged again; 1 is exact. ``None`` follows from the radius: the shrunken ball has a
        radius of about 12.
    output
        ``float32`` keeps what falls below the background; ``dtype`` is the image's own type, where
        integers are rounded and end at 0, which raises the mean of a dark background.

    Notes
    -----
    About 30 ms for a frame of 1024² with a ball of 50 px on one core (5 ms ``gaussian``), 400 ms
    with one of 12 px; the ball's cost grows with radius² / shrink⁴. Not a number stays where it is
    and counts as the darkest. As ImageJ, unlike `skimage.restoration.rolling_ball`,
    the background is the ball's surface and not its apex, so it follows slopes.

    References
    ----------
    Sternberg, Computer 16, 22 (1983), doi:10.1109/MC.1983.1654163.
    """

    method: Literal["rolling_ball", "gaussian"] = Param(
        "rolling_ball", help="how the background is found"
    )
    radius_px: float = Param(
        50.0, gt=0, unit="px", help="of the ball, larger than any cell's; or the Gaussian's sigma"
    )
    ball_height: Optional[float] = Param(
        None, gt=0, unit="counts", help="the ball's half axis along intensities; null: radius_px"
    )
    shrink: Optional[int] = Param(
        None, ge=1, le=64, help="pixels that are averaged first, along each axis; 1 is exact"
    )
    output: Literal["float32", "dtype"] = Param(
        "float32", help="float32 with what is below 0, or the image's own type"
    )

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cv2")
    inputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "bright cells on darker background, (T, Y, X)")
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "the image less its background, (T, Y, X)")
    }
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Subtract the background of every frame of ``image``; gives ``image``."""
        from cyto.preprocessing._background import Smoothing, subtract

        how = Smoothing(
            ball=self.method == "rolling_ball",
            radius_px=self.radius_px,
            height=self.ball_height or self.radius_px,
            shrink=self.shrink or max(1, round(self.radius_px / 12.5)),
        )
        return {"image": subtract(data["image"], how, keep_dtype=self.output == "dtype")}
