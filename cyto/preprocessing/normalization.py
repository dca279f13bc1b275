"""Intensities on a common scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class PercentileNormalization(PipelineTask):
    """Stretch the intensities between two percentiles to a common range, and clip the rest.

    One pair of percentiles serves the whole movie, so that changes over time stay visible; with
    ``per_frame`` each frame has its own, which hides bleaching, and growth too.

    Parameters
    ----------
    lp, up
        Percentiles that become the darkest and the brightest value, 0 ≤ lp < up ≤ 100.
    per_frame
        Whether each frame has its own percentiles.
    output
        ``float32``: 0 to 1. ``dtype``: the full range of the image's own integer type, or 0 to 1
        in its own float type.

    Notes
    -----
    Percentiles are exact and interpolated linearly, as `numpy.percentile` gives them. What is not
    finite is left out of them; then the infinite is clipped, and not a number stays so. Where both
    percentiles are equal, all becomes 0. The movie is read frame by frame (twice for 8 and 16
    bits, more often for wider types), so memory beside the result is a few frames. About 5 ms per
    frame of 1024² in 16 bits, 50 ms in float32.
    """

    lp: float = Param(5.0, ge=0, le=100, unit="%", help="percentile that becomes the darkest value")
    up: float = Param(95.0, ge=0, le=100, unit="%", help="percentile that becomes the brightest")
    per_frame: bool = Param(False, help="each frame has its own percentiles")
    output: Literal["float32", "dtype"] = Param(
        "float32", help="0 to 1 as float32, or the full range of the image's own type"
    )

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "any intensities, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "stretched, (T, Y, X)")}

    def validate(self) -> None:
        """Check that there is something between the percentiles."""
        if self.lp >= self.up:
            raise ParameterError(
                f"lp ({self.lp:g}) must be less than up ({self.up:g})",
                task=type(self).__name__,
                parameter="lp",
                hint="they are percentiles, such as lp: 5 and up: 95",
            )

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Stretch ``image``; gives ``image``."""
        from cyto.preprocessing._normalization import stretch

        return {
            "image": stretch(
                data["image"],
                (self.lp, self.up),
                per_frame=self.per_frame,
                keep_dtype=self.output == "dtype",
            )
        }
