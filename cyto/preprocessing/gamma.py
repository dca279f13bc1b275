"""Dim structures made visible, or less so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class GammaCorrection(PipelineTask):
    """Raise intensities to a power: below 1, dim structures become brighter.

    With *top* the greatest value of the image's integer type (1 for floats), the result is
    ``gain · top · (image / top) ** gamma``, in the image's own type, rounded and clipped. Floats
    are expected between 0 and 1, as `PercentileNormalization` gives them; below 0 is taken as 0.

    Parameters
    ----------
    gamma
        The power, above 0.
    gain
        Multiplies the result, above 0.

    Notes
    -----
    About 1 ms per frame of 1024² in 8 and 16 bits (by a table), 20 ms in float32. Equals
    `skimage.exposure.adjust_gamma` to rounding (which cuts decimals off).
    """

    gamma: float = Param(1.0, gt=0, help="the power; below 1 brightens what is dim")
    gain: float = Param(1.0, gt=0, help="multiplies the result")

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "any intensities, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "in the image's own type")}
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Correct ``image``; gives ``image``."""
        from cyto.preprocessing._intensities import gamma

        return {"image": gamma(data["image"], self.gamma, self.gain)}
