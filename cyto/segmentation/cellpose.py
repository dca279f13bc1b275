"""Segmentation by CellPose: a network that knows many kinds of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class CellPose(PipelineTask):
    """Find cells of any shape with a CellPose 3 network.

    Nothing is downloaded unless asked for: the weights of a registered model must lie in the
    models folder (``models_folder``, else ``$CELLPOSE_LOCAL_MODELS_PATH``, else
    ``~/.cellpose/models``).

    Parameters
    ----------
    model_type
        A registered name (``cyto2``, ``cyto3``, ``nuclei``, …) or the path of a trained model.
    cellprob_thresh
        Pixels above it belong to cells, logit of the probability; lower finds more and larger
        cells.
    flow_threshold
        Greatest error of a cell's flows; higher keeps more, worse shapes; 0 keeps all.
    channels
        CellPose's pair (channel to segment, nuclear channel); a movie has one, so ``[0, 0]``.
    batch_size
        Patches of 224² at once; memory grows with it, results do not change.
    diameter
        Diameter of a cell, px; ``None`` or 0 lets the model decide, frame by frame where it has a
        size model, else the mean of what it was trained on.
    gpu
        Use a GPU where there is one; without, it runs on the CPU and says so in the log.
    verbose
        Whether to log CellPose's own messages.
    models_folder
        Folder with the registered models' weights.
    download
        Fetch missing weights from cellpose.org into the models folder.

    Raises
    ------
    TaskInputError
        There are no such weights; says where they were looked for and how to get them. Or the
        file is no model of CellPose; says what it seems to be.
    UnavailableError
        Another major version than CellPose 3 is installed, or the model is a transformer and
        ``segmentation-models-pytorch`` is not.

    Notes
    -----
    The model is loaded once per process. About 1 s per 512² frame on one core for ``cyto2``,
    0.1 s on a GPU. On the CPU the same libraries and number of threads give the same bits.

    References
    ----------
    Stringer et al., Nature Methods 18, 100 (2021), doi:10.1038/s41592-020-01018-x;
    Stringer and Pachitariu, Nature Methods 22, 592 (2025), doi:10.1038/s41592-025-02595-5.
    """

    model_type: str = Param(
        "cyto2", path=True, help="a registered name, or the path of a trained model file"
    )
    cellprob_thresh: float = Param(0.0, help="logit above which a pixel is cell; lower finds more")
    flow_threshold: float = Param(0.4, ge=0, help="greatest flow error of a cell; 0 keeps all")
    channels: list[int] = Param(
        [0, 0], ge=0, le=3, help="channel to segment and nuclear channel; 0 is grey or none"
    )
    batch_size: int = Param(8, ge=1, help="patches of 224 x 224 px at once")
    diameter: Optional[float] = Param(
        30.0, ge=0, unit="px", help="diameter of a cell; null or 0: the model's own estimate"
    )
    gpu: bool = Param(False, help="use a GPU where there is one")
    verbose: bool = Param(False, help="log CellPose's own messages")
    models_folder: Optional[str] = Param(
        None, path=True, help="folder with the registered models' weights; null: CellPose's own"
    )
    download: bool = Param(False, help="fetch missing weights from cellpose.org")

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "torch", "cellpose")
    inputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "grey movie, (T, Y, X)")}
    outputs: ClassVar[Mapping[str, Port]] = {
        "label": Port("label", "one label per cell, 1 … n in each frame")
    }
    framewise: ClassVar[bool] = True

    def validate(self) -> None:
        """Check the rules between parameters."""
        if len(self.channels) != 2:
            raise ParameterError(
                f"must be two numbers, not {self.channels!r}",
                task=type(self).__name__,
                parameter="channels",
                hint="[0, 0] for a grey movie",
            )
        if self.download and self.models_folder is not None:
            raise ParameterError(
                "weights are downloaded into CellPose's own models folder only",
                task=type(self).__name__,
                parameter="download",
                hint="leave models_folder out, and set CELLPOSE_LOCAL_MODELS_PATH instead",
            )

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Segment every frame of ``image``; gives ``label``, (T, Y, X) uint16 or uint32."""
        from cyto.segmentation import _cellpose

        with _cellpose.messages(verbose=self.verbose):
            weights = _cellpose.find_weights(
                self.model_type, self.models_folder, download=self.download
            )
            model = _cellpose.load_model(
                str(weights.path), weights.path.stat().st_mtime_ns, self.gpu
            )
            labels = _cellpose.segment(
                data["image"],
                model,
                weights,
                diameter=self.diameter or None,
                batch_size=self.batch_size,
                channels=list(self.channels),
                flow_threshold=self.flow_threshold,
                cellprob_threshold=self.cellprob_thresh,
            )
        return {"label": labels}
