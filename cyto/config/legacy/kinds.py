"""The classes of the stage-based format: their parameters, and the tasks that do their work now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyto._typing import JSON

IMAGE, LABEL, FEATURE, NETWORK = "image", "label", "feature", "network"
"""The four dictionaries that steps read and write."""

PLACE: list[JSON] = ["j", "i"]
"""Row and column of a cell in px, in the tables of label_to_sparse."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One class of the old program.

    Parameters
    ----------
    stages
        Where it may stand.
    task
        Dotted path of the task that does its work.
    params
        Its parameters with the old defaults; they have the same names now.
    required
        Parameters that must be given.
    unused
        Parameters that are accepted and change nothing.
    fixed
        What the task is told beside.
    reads
        For each input of the task the dictionary, and which of the channels given together it is;
        empty: all channels of the list, by their names, as images.
    together
        How many channels it is given together: 1, 2, or 0 for any number.
    makes
        For each dictionary the output of the task that goes into it.
    upper
        Parameters whose values are written in capitals.
    files
        Parameters that may name a file or folder.
    """

    stages: tuple[str, ...]
    task: str
    params: Mapping[str, JSON] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    fixed: Mapping[str, JSON] = field(default_factory=dict)
    reads: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    together: int = 1
    makes: Mapping[str, str]
    upper: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def known(self) -> list[str]:
        """All parameters that may be given."""
        return list(dict.fromkeys([*self.params, *self.required, *self.unused, "verbose"]))

    @property
    def needs(self) -> list[str]:
        """The dictionaries that it reads."""
        return list(dict.fromkeys(kind for kind, _ in self.reads.values())) or [IMAGE]


_IMAGES = ("preprocessing", "postprocessing")
_ONE_IMAGE = {"image": (IMAGE, 0)}
_TABLE_AND_IMAGE = {"dataframe": (FEATURE, 0), "image": (IMAGE, 0)}
_TWO_TABLES = {"dataframe": (FEATURE, 0), "other": (FEATURE, 1)}

KINDS: dict[str, Kind] = {
    "PercentileNormalization": Kind(
        stages=_IMAGES,
        task="cyto.preprocessing.normalization.PercentileNormalization",
        params={"lp": 5, "up": 95},
        fixed={"output": "dtype"},
        reads=_ONE_IMAGE,
        makes={IMAGE: "image"},
    ),
    "GammaCorrection": Kind(
        stages=_IMAGES,
        task="cyto.preprocessing.gamma.GammaCorrection",
        params={"gamma": 1.0, "gain": 1},
        reads=_ONE_IMAGE,
        makes={IMAGE: "image"},
    ),
    "ChannelMerge": Kind(
        stages=_IMAGES,
        task="cyto.preprocessing.merging.ChannelMerge",
        params={"weights": None},
        together=0,
        makes={IMAGE: "image"},
    ),
    "CrossChannelCorrelation": Kind(
        stages=_IMAGES,
        task="cyto.preprocessing.correlation.CrossChannelCorrelation",
        params={"mode": "SLICE", "scale": 1024e6, "method": "MEAN"},
        together=2,
        makes={IMAGE: "image"},
        upper=("mode", "method"),
    ),
    "ImageToLabel": Kind(
        stages=("segmentation",),
        task="cyto.segmentation.image_to_label.ImageToLabel",
        reads=_ONE_IMAGE,
        makes={LABEL: "label"},
    ),
    "StarDist": Kind(
        stages=("segmentation",),
        task="cyto.segmentation.stardist.StarDist",
        params={
            "model_name": "2D_versatile_fluo",
            "prob_thresh": 0.479071,
            "nms_thresh": 0.3,
            "verbose": None,
        },
        fixed={"lp": 0, "up": 100, "download": True},
        reads=_ONE_IMAGE,
        makes={LABEL: "label"},
        files=("model_name",),
    ),
    "CellPose": Kind(
        stages=("segmentation",),
        task="cyto.segmentation.cellpose.CellPose",
        params={
            "model_type": "cyto",
            "cellprob_thresh": -3,
            "gpu": True,
            "channels": [0, 0],
            "batch_size": 16,
            "diameter": 16.18,
            "verbose": None,
        },
        unused=("model_matching_thresh",),
        fixed={"flow_threshold": 0, "download": True},
        reads=_ONE_IMAGE,
        makes={LABEL: "label"},
        files=("model_type",),
    ),
    "TrackMate": Kind(
        stages=("tracking",),
        task="cyto.tracking.trackmate.TrackMate",
        params={
            "linking_max_distance": 15.0,
            "max_frame_gap": 5,
            "gap_closing_max_distance": 15.0,
            "size_min": None,
            "size_max": None,
        },
        unused=("FIJI_DIR",),
        reads=_TABLE_AND_IMAGE,
        makes={FEATURE: "dataframe"},
    ),
    "CrossTableOperation": Kind(
        stages=("postprocessing",),
        task="cyto.postprocessing.tables.CrossTableOperation",
        required=("column", "operation"),
        reads=_TWO_TABLES,
        together=2,
        makes={FEATURE: "dataframe"},
    ),
    "FeatureFilter": Kind(
        stages=("postprocessing",),
        task="cyto.postprocessing.tables.FeatureFilter",
        required=("column", "operation", "value"),
        reads={"dataframe": (FEATURE, 0)},
        makes={FEATURE: "dataframe"},
    ),
    "KernelDensityEstimation": Kind(
        stages=("postprocessing",),
        task="cyto.postprocessing.density.KernelDensityEstimation",
        params={"downscale_factor": 1, "gradient": False},
        unused=("base_image",),
        fixed={"columns": PLACE},
        reads=_TABLE_AND_IMAGE,
        makes={IMAGE: "image"},
    ),
    "CellTriangulation": Kind(
        stages=("postprocessing",),
        task="cyto.postprocessing.triangulation.CellTriangulation",
        unused=("base_image",),
        fixed={"columns": PLACE, "id_column": "label"},
        reads=_TABLE_AND_IMAGE,
        makes={IMAGE: "image", NETWORK: "network"},
    ),
    "CrossCellContactMeasures": Kind(
        stages=("postprocessing",),
        task="cyto.postprocessing.contact_measures.CrossCellContactMeasures",
        unused=("threads", "parallel_backend", "base_image"),
        fixed={"columns": PLACE},
        reads={
            "label": (LABEL, 0),
            "other_label": (LABEL, 1),
            **_TWO_TABLES,
        },
        together=2,
        makes={IMAGE: "image", FEATURE: "dataframe", NETWORK: "network"},
    ),
}
"""The classes by name."""

LABEL_TO_SPARSE = Kind(
    stages=("label_to_sparse",),
    task="cyto.tabulation.sparse.LabelToSparse",
    reads={"label": (LABEL, 1), "image": (IMAGE, 0)},
    together=2,
    makes={FEATURE: "dataframe"},
)
