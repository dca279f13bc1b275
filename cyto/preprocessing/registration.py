"""Drift of the stage, found and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class Registration(PipelineTask):
    """Find how far each frame has drifted, and move all channels back.

    The drift is measured in ``image``, the channel whose content moves least by itself, as the
    shift that correlates best with the reference frame, to a fraction of a pixel. Channels given
    under other keys, as in ``inputs: {image: brightfield, tcell: tcell}``, are moved with it and
    come out under the same keys.

    ``dataframe`` has one row per frame: ``frame``; ``t_s`` where the frame interval is known;
    ``drift_y``, ``drift_x``, px, how far the content lies from where it lies in the first frame
    (``drift_y_um``, ``drift_x_um`` where the pixel size is known); ``correlation``, height of the
    peak: 1 for a frame that is the reference moved, near 0 for one without anything in common.

    Parameters
    ----------
    reference
        ``first``: every frame is compared with the first one, so that errors do not add up.
        ``previous``: with the one before it, for content that changes; errors add up.
    smoothing_px
        Details finer than this are left out of the comparison: they are noise.
    max_step_px
        Greatest drift from one frame to the next, along y and along x; ``None`` is half the image.
        The best shift beyond it is not looked at.

    Raises
    ------
    TaskInputError
        Another channel differs from ``image`` in shape.

    Notes
    -----
    About 35 ms per frame of 1024² for the drift and 7 ms for each channel that is moved, on one
    core. Channels keep their type; cubic interpolation, the edge's values beyond the edge. Whole
    pixels are moved without interpolation. A frame without contrast keeps the drift of the one
    before it, at a correlation of 0. Patterns that stay with the camera (dust, hot pixels, uneven
    light) pull the drift towards 0: correct them first. Do not give label images: they would be
    interpolated.

    References
    ----------
    Kuglin and Hines, Proc. IEEE Int. Conf. Cybern. Soc., 163 (1975) (phase correlation);
    Guizar-Sicairos, Thurman and Fienup, Opt. Lett. 33, 156 (2008), doi:10.1364/OL.33.000156
    (fractions of a pixel).
    """

    reference: Literal["first", "previous"] = Param("first", help="what a frame is compared with")
    smoothing_px: float = Param(2.0, ge=0, unit="px", help="finer details are taken for noise")
    max_step_px: Optional[float] = Param(
        None, gt=0, unit="px", help="greatest drift between two frames; null: half the image"
    )

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "cv2", "pandas", "pyarrow")
    inputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "the channel that drift is measured in, (T, Y, X)")
    }
    more_inputs: ClassVar[Port] = Port("image", "a channel that is moved with it, (T, Y, X)")
    outputs: ClassVar[Mapping[str, Port]] = {
        "image": Port("image", "the image, moved back"),
        "dataframe": Port(
            "dataframe",
            "drift of each frame, px",
            columns=("frame", "drift_y", "drift_x", "correlation"),
        ),
    }
    more_outputs: ClassVar[Port] = Port("image", "each further channel, moved back")

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Register ``image`` and all that is given with it; gives them and ``dataframe``."""
        from cyto.preprocessing import _registration
        from cyto.preprocessing._movie import check_same_shape

        beside = {"frame_offset", *CONTEXT_KEYS}
        channels = {key: data[key] for key in data if key not in beside}
        check_same_shape({"image": data["image"], **channels}, type(self).__name__)
        drift = _registration.measure(
            data["image"],
            previous=self.reference == "previous",
            smoothing_px=self.smoothing_px,
            max_step_px=self.max_step_px,
        )
        moved = {key: _registration.move_back(movie, drift) for key, movie in channels.items()}
        table = _registration.table(drift, data.get("pixel_size_um"), data.get("frame_interval_s"))
        return {**moved, "dataframe": table}
