"""The killing assay with each population segmented in a container of its own, the rest here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import services_support as services
import tifffile
import yaml

from cyto.segmentation.watershed import Watershed

sys.path.append(str(Path(__file__).parents[1] / "science"))
from scores import Score, score

pytestmark = [pytest.mark.docker, pytest.mark.apptainer, pytest.mark.timeout(900)]

SHIPPED = services.ROOT / "pipelines"
TILE_PX = 192
"""What CellPose sees at once, with its margins: a frame of 256² px takes it four times as long."""
POPULATIONS = ("tcell", "cancer")
SEGMENTATIONS = tuple(f"{name}_segmentation" for name in POPULATIONS)


def shipped(kind: str, name: str) -> dict[str, Any]:
    text = (SHIPPED / f"{kind}.{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


class Assay:
    """A shipped pipeline, run on what ``cyto sample`` writes, with the images of the tests."""

    def __init__(self, cyto: services.Cyto) -> None:
        self._cyto = cyto
        self.sample, self.out = cyto.folder / "sample", cyto.folder / "results"

    def run(
        self, name: str, profile: str, *more: str, size: int = 256, frames: int = 24,
        **params: object,
    ) -> None:  # fmt: skip
        """Run it on so many frames of *size*² px; *params* are ``node__parameter=value``."""
        sets = {f"channels.{name}.path": self.sample / f"{name}.ome.tif" for name in
                (*POPULATIONS, "death")}  # fmt: skip
        for param, value in params.items():
            node, _, key = param.partition("__")
            sets[f"tasks.{node}.params.{key}"] = value
        done = self._cyto("sample", self.sample, "--size", str(size), "--frames", str(frames))
        assert done.code == 0, done.said
        run = self._cyto(
            "run", SHIPPED / f"pipeline.{name}.yaml", "--profile", profile,
            "--resources", self._resources(name, profile), "--output-dir", self.out, "--json",
            *more,
            *(part for key, value in sets.items() for part in ("--set", f"{key}={value}")),
        )  # fmt: skip
        assert run.code == 0, run.said

    def _resources(self, name: str, profile: str) -> Path:
        """Write the shipped resources, with the tests' images in place of those a user builds."""
        resources = shipped("pipeline-resources", name)
        for entry in resources["execution_configs"][profile].values():
            if entry["type"] == "container":
                tool = Path(entry["image"]).stem.partition(":")[0].removeprefix("cyto-")
                sif = "-sif" if entry["runner"] == "apptainer" else ""
                entry["image"] = services.image(tool + sif)
                entry["env"] = {services.MARK: self._cyto.mark}
        path = self._cyto.folder / "resources.yaml"
        path.write_text(yaml.safe_dump(resources), encoding="utf-8")
        return path

    def labels(self, population: str) -> np.ndarray:
        found: np.ndarray = tifffile.imread(
            self.out / f"{population}_segmentation" / "label.ome.tif"
        )
        return found

    def image(self, name: str) -> np.ndarray:
        found: np.ndarray = tifffile.imread(self.sample / f"{name}.ome.tif")
        return found

    def places(self) -> dict[str, str]:
        """Say in which environment each node ran."""
        return services.places(self.out)

    def f1(self, population: str) -> float:
        truth = tifffile.imread(self.sample / "truth" / f"{population}_labels.ome.tif")
        found = self.labels(population)
        assert found.shape == truth.shape
        return sum(map(score, truth, found), Score(0, 0, 0)).f1

    def timely_deaths(self) -> tuple[int, int, int]:
        """Give the number of deaths found within a frame where they are, of true, and of found."""
        true = pd.read_csv(self.sample / "truth" / "deaths.csv")
        tracks = pd.read_csv(self.sample / "truth" / "tracks.csv")
        true = true.merge(tracks[["track_id", "frame", "y", "x"]], on=["track_id", "frame"])
        found = pd.read_csv(self.out / "kills" / "dataframe.csv")
        matched = sum(
            any((np.hypot(found.y - y, found.x - x) < 8) & ((found.frame - frame).abs() <= 1))
            for frame, y, x in zip(true.frame, true.y, true.x, strict=True)
        )
        return matched, len(true), len(found)


@pytest.fixture
def assay(cyto: services.Cyto) -> Assay:
    return Assay(cyto)


def check_against_truth(assay: Assay) -> None:
    for population in POPULATIONS:
        assert assay.f1(population) >= 0.9, population
    matched, true, found = assay.timely_deaths()
    assert true >= 3
    assert matched >= 0.9 * true
    assert found <= true + 1


def check_places(places: dict[str, str], tcell: str, cancer: str, others: int = 11) -> None:
    """See that the two segmentations ran where they should, and all else on bare metal."""
    assert [places.pop(node) for node in SEGMENTATIONS] == [tcell, cancer]
    assert list(places.values()) == ["baremetal"] * others


def test_one_watershed_in_docker_and_one_in_apptainer(assay: Assay) -> None:
    assay.run("killing_assay", "hybrid")
    check_places(assay.places(), "docker", "apptainer")
    check_against_truth(assay)
    tasks = shipped("pipeline", "killing_assay")["tasks"]
    for population in POPULATIONS:
        here = Watershed(**tasks[f"{population}_segmentation"]["params"])
        expected = here({"image": assay.image(population)})["label"]
        np.testing.assert_array_equal(assay.labels(population), expected)


def tiny_models() -> dict[str, object]:
    """Give the parameters that name the models, and the threshold that suits a tiny one.

    Its own is tuned on live cells only, and passes over dead ones, which are dimmer.
    """
    return {
        "tcell_segmentation__model_type": services.model("cellpose"),
        "cancer_segmentation__model_name": services.model("stardist"),
        "cancer_segmentation__prob_thresh": 0.5,
    }


@pytest.mark.cellpose
def test_cellpose_and_stardist_each_in_its_own_container(assay: Assay) -> None:
    assay.run("killing_assay_deep", "hybrid", size=TILE_PX, **tiny_models())
    check_places(assay.places(), "docker", "docker")
    check_against_truth(assay)


@pytest.mark.cellpose
def test_cellpose_in_apptainer_beside_stardist_in_docker(assay: Assay) -> None:
    only = [part for node in SEGMENTATIONS for part in ("--only", node)]
    assay.run("killing_assay_deep", "apptainer", *only, size=TILE_PX, frames=4, **tiny_models())
    check_places(assay.places(), "apptainer", "docker", others=0)
    for population in POPULATIONS:
        assert assay.f1(population) >= 0.9, population


def test_the_deep_pipeline_is_the_other_but_for_its_segmentation() -> None:
    plain, deep = shipped("pipeline", "killing_assay"), shipped("pipeline", "killing_assay_deep")
    for node in SEGMENTATIONS:
        for key in ("inputs", "tags", "output"):
            assert plain["tasks"][node][key] == deep["tasks"][node][key]
        del plain["tasks"][node], deep["tasks"][node]
    assert plain["channels"] == deep["channels"]
    assert plain["tasks"] == deep["tasks"]
