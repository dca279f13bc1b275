"""Stage-based pipelines whose segmentation runs in a container: by a profile alone, no rewrite."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import services_support as services
import tifffile
import yaml

sys.path.append(str(Path(__file__).parents[1] / "science"))
from scores import Score, score

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

LEGACY = services.ROOT / "pipelines" / "legacy"
TOOLS = {
    "cellpose": ("TCell_CellPose", "model_type", "tcell", ("cellprob_thresh=0", "diameter=14")),
    "stardist": ("Alive_StarDist", "model_name", "cancer", ()),
}
"""By tool: the node, the parameter that names the model, the cells, and what else a tiny model
needs: CellPose's old threshold is for the published ones."""


@pytest.mark.parametrize("tool", TOOLS)
def test_segmentation_in_a_container(cyto: services.Cyto, tool: str) -> None:
    node, parameter, cells, others = TOOLS[tool]
    size = ("--size", "160", "--frames", "2", "--tcells", "10", "--cancer-cells", "8")
    assert cyto("sample", "pipelines/sample", *size).code == 0
    where = {
        "type": "container",
        "image": services.image(tool),
        "env": {services.MARK: cyto.mark},
    }
    resources = {"execution_configs": {"there": {"tag:segmentation": where}}}
    (cyto.folder / "there.yaml").write_text(yaml.safe_dump(resources), encoding="utf-8")
    more = (
        "--resources", "there.yaml", "--profile", "there",
        "--set", f"tasks.{node}.params.{parameter}={services.model(tool)}",
        *(part for each in others for part in ("--set", f"tasks.{node}.params.{each}")),
    )  # fmt: skip
    run = cyto("run", LEGACY / f"{tool}.yaml", *more)
    assert run.code == 0, run.said
    out = cyto.folder / "pipelines" / "output" / "legacy" / tool
    assert services.places(out) == {node: "docker"}
    (image,) = (out / "segmentation").rglob("*.tif")
    channel, kind = node.split("_")
    assert image == out / "segmentation" / kind / f"{channel}.tif"
    labels = tifffile.imread(image)
    truth = tifffile.imread(cyto.folder / f"pipelines/sample/truth/{cells}_labels.ome.tif")
    assert labels.shape == truth.shape
    assert sum(map(score, truth, labels), Score(0, 0, 0)).f1 > 0.5

    assert cyto("migrate", LEGACY / f"{tool}.yaml", "-o", "new/pipeline.m.yaml").code == 0
    run = cyto("run", "new/pipeline.m.yaml", "-o", "other", *more)
    assert run.code == 0, run.said
    assert services.places(cyto.folder / "other") == {node: "docker"}
    again = tifffile.imread(cyto.folder / "other" / image.relative_to(out))
    np.testing.assert_array_equal(again, labels)
