"""Uneven light made even."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.errors import TaskInputError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class FlatFieldCorrection(PipelineTask):
    """Divide by how bright an even sample looks.

    The result is ``(image - dark) · mean(flat - dark) / (flat - dark)``.

    Parameters
    ----------
    smoothing_px
        Standard deviation of the Gaussian that blurs a flat image that is estimated from the movie
        itself, px; ``None`` is an eighth of the image's shorter side.
    output
        ``float32``, or ``dtype``: the image's own type, where integers are rounded and clipped.

    Raises
    ------
    TaskInputError
        The flat or dark image is of another size than the movie's frames; the flat image is no
        brighter than the dark one.

    Notes
    -----
    ``flat`` and ``dark`` may be movies, of which the mean counts; without ``dark``, 0 is taken.
    Without ``flat``, it is estimated: the median over time of up to 64 frames (256 MB), blurred.
    This needs frames whose cells move, or are few, and knows nothing of `dark`'s own light. Where
    the flat image is below 1 % of its mean, 1 % is taken. About 3 ms per frame of 1024².

    References
    ----------
    Model, Curr. Protoc. Cytom. 68, 10.14.1 (2014), doi:10.1002/0471142956.cy1014s68.
    """

    smoothing_px: Optional[float] = Param(
        None, gt=0, unit="px", help="blur of an estimated flat image; null: 1/8 of the image"
    )
    output: Literal["float32", "dtype"] = Param("float32", help="or the image's own type")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cv2")
    inputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "movie with uneven light, (T, Y, X)"),
        "flat": Port("image", "image of an even sample, (Y, X) or (n, Y, X)", optional=True),
        "dark": Port("image", "image without light, (Y, X) or (n, Y, X)", optional=True),
    }
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "evenly lit, (T, Y, X)")}

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Correct every frame of ``image``; gives ``image``."""
        from cyto.preprocessing import _flatfield

        movie = data["image"]
        flat, dark = (self._mean(data, key) for key in ("flat", "dark"))
        if dark is None:
            dark = _flatfield.no_light(movie)
        if flat is None:
            flat = _flatfield.estimate(movie, self.smoothing_px)
            if movie.size and not (flat - dark).mean() > 0:
                flat = dark + 1  # no light anywhere: there is nothing to make even
        elif movie.size and not (flat - dark).mean() > 0:
            raise TaskInputError(
                f"is no brighter (mean {flat.mean():g}) than the dark image ({dark.mean():g})",
                task=type(self).__name__,
                key="flat",
                hint="flat is the image of an even, bright sample, dark one without light",
            )
        keep = self.output == "dtype"
        return {"image": _flatfield.correct(movie, flat, dark, keep_dtype=keep)}

    def _mean(self, data: TaskData, key: str) -> Any:
        from cyto.preprocessing._flatfield import mean_frame

        if data.get(key) is None:
            return None
        movie, size = data["image"], data[key].shape[-2:]
        if size != movie.shape[-2:] or not len(data[key]):
            raise TaskInputError(
                f"has frames of {size[0]} x {size[1]} px ({len(data[key])} of them), the movie's "
                f"are {movie.shape[-2]} x {movie.shape[-1]}",
                task=type(self).__name__,
                key=key,
                hint="take it with the same camera settings, binning and crop as the movie",
            )
        return mean_frame(data[key])
