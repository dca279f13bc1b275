"""Noise made less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class Denoise(PipelineTask):
    """Smooth every frame.

    ``gaussian`` blurs. ``median`` removes single bright or dark pixels and keeps edges. ``nlm``
    (non-local means) averages pixels whose surroundings look alike, and keeps texture.

    Parameters
    ----------
    method
        How.
    sigma_px
        ``gaussian``: standard deviation.
    radius_px
        ``median``: of the square window, which is 2 · radius + 1 px wide.
    strength
        ``nlm``: in standard deviations of the noise, which is estimated from each frame; larger
        smooths more.
    patch_px, search_px
        ``nlm``: radius of the surroundings that are compared, and of the area that is searched.

    Notes
    -----
    The result has the image's own type, integers rounded. Edges are reflected (repeated by
    ``median``). A frame of 1024² on one core: ``gaussian`` 3 ms; ``median`` up to 5 × 5 px 5 ms,
    larger ones 5 ms in 8 bits and 1 s and more in others; ``nlm`` about 0.6 s, in 16 bits: other
    types are scaled to them. Not a number counts as the darkest.

    References
    ----------
    Buades, Coll and Morel, Image Process. On Line 1, 208 (2011), doi:10.5201/ipol.2011.bcm_nlm;
    noise: Immerkær, Comput. Vis. Image Underst. 64, 300 (1996), doi:10.1006/cviu.1996.0060.
    """

    method: Literal["median", "gaussian", "nlm"] = Param("median", help="how to smooth")
    sigma_px: float = Param(1.0, gt=0, unit="px", help="gaussian: standard deviation")
    radius_px: int = Param(1, ge=1, le=100, unit="px", help="median: 1 is a window of 3 x 3 px")
    strength: float = Param(1.25, gt=0, help="nlm: in standard deviations of the noise")
    patch_px: int = Param(2, ge=1, le=10, unit="px", help="nlm: radius of what is compared")
    search_px: int = Param(7, ge=1, le=50, unit="px", help="nlm: radius of what is searched")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cv2", "scipy")
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "any intensities, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "in the image's own type")}
    framewise: ClassVar[bool] = True

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Smooth every frame of ``image``; gives ``image``."""
        from cyto.preprocessing import _denoising

        if self.method == "median":
            smooth = _denoising.median(self.radius_px)
        elif self.method == "gaussian":
            smooth = _denoising.gaussian(self.sigma_px)
        else:
            smooth = _denoising.nlm(self.strength, self.patch_px, self.search_px)
        return {"image": _denoising.every_frame(data["image"], smooth)}
