"""A crate names container images by their digests, and a rerun says which differ."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import services_support as services

WATERSHED = "cyto.segmentation.watershed.Watershed"


@pytest.fixture
def tag(mark: str, entries: services.Entries) -> str:
    """Give the test image a name of this test's own, which can be moved."""
    services.require("docker")
    name = f"localhost:5000/cyto-{mark}:v1"
    _docker("tag", entries("docker")["image"], name)
    yield name
    _docker("rmi", "--no-prune", name)


def _docker(*args: str) -> str:
    argv = [services.DOCKER, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.docker
def test_images_in_a_crate(
    cyto: services.Cyto, movie_file: Path, entries: services.Entries, tag: str, validate_crate
) -> None:
    tasks = {"cells": {"module": WATERSHED, "params": {"diameter_px": 18}, "output": True}}
    pipeline = cyto.write(
        {"channels": {"cancer": movie_file.name}, "tasks": tasks},
        cells={**entries("docker"), "image": tag},
    )
    assert cyto("run", pipeline).code == 0
    output = cyto.folder / "output"
    assert validate_crate(output) == []
    graph = json.loads((output / "ro-crate-metadata.json").read_text())["@graph"]
    (image,) = (entity for entity in graph if entity["@type"] == "ContainerImage")
    first = _docker("image", "inspect", "--format", "{{.Id}}", tag)
    assert image["sha256"] == first.removeprefix("sha256:")
    assert (image["registry"], image["tag"]) == ("localhost:5000", "v1")
    (tool,) = (e for e in graph if e.get("name") == WATERSHED)
    assert any(line.startswith("scipy ") for line in tool["softwareRequirements"])
    same = cyto("rerun", output, "-o", "same")
    assert same.code == 0, same.said
    assert "warning" not in same.said
    assert "all 1 files are the same" in same.said
    build = f"FROM {tag}\nLABEL other=1\n"
    argv = [services.DOCKER, "build", "-q", "-t", tag, "-"]
    subprocess.run(argv, input=build, text=True, check=True, capture_output=True)
    other = cyto("rerun", output, "-o", "other")
    assert other.code == 0, other.said
    second = _docker("image", "inspect", "--format", "{{.Id}}", tag)
    assert second != first
    assert f"image docker {tag}: its digest is {second.removeprefix('sha256:')}" in other.said
