"""One pipeline on bare metal, in Docker and in Apptainer gives the same bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import services_support as services
import tifffile
import yaml

from cyto.segmentation.watershed import Watershed

pytestmark = [pytest.mark.docker, pytest.mark.apptainer]

RUNNERS = ("baremetal", "docker", "apptainer")
WATERSHED = "cyto.segmentation.watershed.Watershed"
FEATURES = "cyto.tabulation.regions.RegionFeatures"
OTHER = {"baremetal": "docker", "docker": "apptainer", "apptainer": "baremetal"}


@pytest.fixture
def pipeline(cyto: services.Cyto, movie_file: Path, entries: services.Entries) -> Path:
    """Segment in each environment, and measure the result in another one."""
    tasks, profile = {}, {}
    for runner in RUNNERS:
        tasks[f"in_{runner}"] = {
            "module": WATERSHED,
            "params": {"diameter_px": 18, "threshold_factor": 0.9},
            "inputs": {"image": "cancer"},
            "output": True,
        }
        tasks[f"of_{runner}"] = {
            "module": FEATURES,
            "inputs": {"label": f"in_{runner}.label", "image": "cancer"},
            "output": True,
        }
        profile[f"in_{runner}"] = entries(runner)
        profile[f"of_{runner}"] = entries(OTHER[runner])
    channels = {"cancer": {"path": movie_file.name, "pixel_size_um": 0.65}}
    return cyto.write({"channels": channels, "tasks": tasks}, **profile)


def files(run: services.Run, node: str) -> list[str]:
    return [found["path"] for found in run.nodes[node]["findings"]]


def test_bit_identical_in_all_three(cyto: services.Cyto, pipeline: Path, movie: np.ndarray) -> None:
    run = cyto("run", pipeline, "--json")
    assert run.code == 0, run.said
    direct = Watershed(diameter_px=18, threshold_factor=0.9)({"image": movie})["label"]
    assert direct.max() > 3
    for runner in RUNNERS:
        labels = tifffile.imread(files(run, f"in_{runner}")[0])
        assert labels.dtype == direct.dtype
        np.testing.assert_array_equal(labels, direct, err_msg=runner)
    tables = [pd.read_csv(files(run, f"of_{runner}")[0]) for runner in RUNNERS]
    assert len(tables[0]) == sum(len(np.unique(frame)) - 1 for frame in direct)
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0], check_exact=True)
    assert places(cyto.folder) == {
        **{f"in_{runner}": runner for runner in RUNNERS},
        **{f"of_{runner}": OTHER[runner] for runner in RUNNERS},
    }
    again = cyto("run", pipeline)
    assert again.code == 0
    assert "Nothing was left to do" in again.said


def places(folder: Path) -> dict[str, str]:
    """Read from the store where each result says that it was made."""
    manifests = folder.glob("output/.cyto/store/*/*/manifest.json")
    facts = [json.loads(path.read_text(encoding="utf-8"))["facts"] for path in manifests]
    return {fact["node"]: fact["environment"] for fact in facts}


def test_every_job_can_be_run_again_by_hand(cyto: services.Cyto, pipeline: Path) -> None:
    assert cyto("run", pipeline).code == 0
    jobs = sorted(cyto.folder.glob("output/.cyto/runs/*/jobs/*/*/command.txt"))
    assert len(jobs) == 6
    for command in jobs:
        (command.parent / "result.json").unlink()
        said = services.by_hand(command)
        assert said.returncode == 0, f"{command.read_text()}\n{said.stderr}"
        result = json.loads((command.parent / "result.json").read_text(encoding="utf-8"))
        assert result["reason"] == ""
        for ref in result["outputs"].values():
            assert (command.parent / "out" / Path(ref["path"]).name).exists()


def test_the_shipped_example(
    cyto: services.Cyto, movie_file: Path, entries: services.Entries
) -> None:
    shipped = services.ROOT / "pipelines"
    name = "hybrid_example.yaml"
    resources = yaml.safe_load((shipped / f"pipeline-resources.{name}").read_text("utf-8"))
    found = set()
    for entry in resources["execution_configs"]["hybrid"].values():
        runner = entry.get("runner", "baremetal")
        found.add(runner)
        entry.update({**entries(runner), "resources": entry.get("resources")})
    assert found == set(RUNNERS)
    mine = cyto.folder / "resources.yaml"
    mine.write_text(yaml.safe_dump(resources), encoding="utf-8")
    pipeline = shipped / f"pipeline.{name}"
    channel, *others = yaml.safe_load(pipeline.read_text("utf-8"))["channels"]
    assert not others
    run = cyto(
        "run", pipeline, "--resources", mine, "--set", f"channels.{channel}={movie_file}",
        "--output-dir", cyto.folder / "out", "--json",
    )  # fmt: skip
    assert run.code == 0, run.said
    images = [tifffile.imread(path) for path in cyto.folder.glob("out/*/label*.tif")]
    assert len(images) == 3
    assert images[0].max() > 3
    for other in images[1:]:
        np.testing.assert_array_equal(other, images[0])


def test_a_project_with_hostile_names(
    cyto: services.Cyto, movie_file: Path, entries: services.Entries
) -> None:
    folder = cyto.folder / 'it\'s "so"; é, a:b $(id)'
    folder.mkdir()
    movie = Path(shutil.move(movie_file, folder / "-my movie;1.ome.tif"))
    step = {"module": WATERSHED, "inputs": {"image": "cancer"}, "output": True}
    tasks = {f"in_{runner}": step for runner in RUNNERS}
    profile = {f"in_{runner}": entries(runner) for runner in RUNNERS}
    cyto.folder = folder
    pipeline = cyto.write({"channels": {"cancer": f"./{movie.name}"}, "tasks": tasks}, **profile)
    run = cyto("run", pipeline, "--json")
    assert run.code == 0, run.said
    images = [tifffile.imread(files(run, node)[0]) for node in tasks]
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


@pytest.mark.parametrize("way", ["up and down", "a linked file", "a linked folder"])
def test_input_by_another_path(cyto: services.Cyto, entries: services.Entries, way: str) -> None:
    """Data are often a link to another disk; a container gets the file all the same."""
    folder = cyto.folder / "disk" / "real"
    folder.mkdir(parents=True)
    movie = np.arange(2 * 32 * 32, dtype=np.uint16).reshape(2, 32, 32)
    tifffile.imwrite(folder / "movie.tif", movie, metadata={"axes": "TYX"})
    (cyto.folder / "file.tif").symlink_to(folder / "movie.tif")
    (cyto.folder / "data").symlink_to(folder)
    path = {
        "up and down": "disk/../disk/real/movie.tif",
        "a linked file": "file.tif",
        "a linked folder": "data/movie.tif",
    }[way]
    watershed = {"module": WATERSHED, "inputs": {"image": "cells"}}
    pipeline = cyto.write(
        {"channels": {"cells": path}, "tasks": {"docker": watershed, "apptainer": watershed}},
        docker=entries("docker"),
        apptainer=entries("apptainer", env={"OWN": "1"}),
    )
    run = cyto("run", pipeline, "--json")
    assert run.code == 0, run.said
    assert {node["outcome"] for node in run.nodes.values()} == {"succeeded"}
