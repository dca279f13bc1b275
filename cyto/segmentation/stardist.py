"""Segmentation by StarDist: a network for cells that are star-convex, as nuclei are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class StarDist(PipelineTask):
    """Find roundish cells, also where they are dense, with a StarDist network.

    Nothing is downloaded unless asked for: a registered model must lie in the models folder
    (``models_folder``, else ``$STARDIST_MODELS``, else where StarDist itself keeps them,
    ``~/.keras/models/StarDist2D``), as a folder of its name.

    Parameters
    ----------
    model_name
        A registered name (``2D_versatile_fluo``, ``2D_paper_dsb2018``, …), or the folder of a
        trained model, with ``config.json`` and weights in it.
    prob_thresh
        Probability above which a cell is one, 0 to 1; lower finds more. ``None`` is what the model
        was tuned to.
    nms_thresh
        Overlap above which two candidates are the same cell, 0 to 1. ``None`` as above.
    lp, up
        Percentiles of each frame that become 0 and 1, as the model was trained to see; values
        beyond them are not clipped. 0 and 100 stretch from the least to the greatest value.
    models_folder
        Folder with the registered models' folders.
    download
        Fetch a missing registered model from its authors' site into StarDist's own folder.
    verbose
        Whether to log StarDist's own messages.

    Raises
    ------
    TaskInputError
        There is no such model, or it is none of StarDist in 2D for grey images; says where it was
        looked for and how to get it.

    Notes
    -----
    The model is loaded once per process. Frames longer than 2048 px are seen in tiles. About
    1.5 s per 1024² frame on two cores for a model of the published size; a GPU is used where
    TensorFlow sees one. On the CPU the same libraries and number
    of threads give the same bits.

    References
    ----------
    Schmidt et al., MICCAI, 265 (2018), doi:10.1007/978-3-030-00934-2_30.
    """

    model_name: str = Param(
        "2D_versatile_fluo", path=True, help="a registered name, or the folder of a trained model"
    )
    prob_thresh: Optional[float] = Param(
        None, ge=0, le=1, help="least probability of a cell; null: the model's own"
    )
    nms_thresh: Optional[float] = Param(
        None, ge=0, le=1, help="overlap that makes two candidates one cell; null: the model's own"
    )
    lp: float = Param(1.0, ge=0, le=100, unit="%", help="percentile that becomes 0")
    up: float = Param(99.8, ge=0, le=100, unit="%", help="percentile that becomes 1")
    models_folder: Optional[str] = Param(
        None, path=True, help="folder with the registered models; null: $STARDIST_MODELS"
    )
    download: bool = Param(False, help="fetch a missing registered model")
    verbose: bool = Param(False, help="log StarDist's own messages")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "tensorflow", "stardist")
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "grey movie, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {
        "label": Port("label", "one label per cell, 1 … n in each frame")
    }
    framewise: ClassVar[bool] = True

    def validate(self) -> None:
        """Check the rules between parameters."""
        if self.lp >= self.up:
            raise self._error(
                "lp",
                f"({self.lp:g}) must be less than up ({self.up:g})",
                "they are percentiles, such as lp: 1 and up: 99.8",
            )
        if self.download and self.models_folder is not None:
            raise self._error(
                "download", "goes into StarDist's own models folder only", "leave models_folder out"
            )

    def _error(self, parameter: str, message: str, hint: str) -> ParameterError:
        return ParameterError(message, task=type(self).__name__, parameter=parameter, hint=hint)

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Segment every frame of ``image``; gives ``label``, (T, Y, X) uint16 or uint32."""
        from cyto.segmentation import _stardist

        with _stardist.messages(verbose=self.verbose):
            folder = _stardist.find_model(
                self.model_name, self.models_folder, download=self.download
            )
            model = _stardist.load_model(str(folder), _stardist.changed(folder))
            labels = _stardist.segment(
                data["image"],
                model,
                percent=(self.lp, self.up),
                prob_thresh=self.prob_thresh,
                nms_thresh=self.nms_thresh,
            )
        return {"label": labels}
