"""What is missing is found before anything runs, with what to do about it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import services_support as services

docker = pytest.mark.docker
apptainer = pytest.mark.apptainer


def one_node(cyto: services.Cyto, **entry: Any) -> Path:
    """Write a pipeline of one node in a container."""
    tasks = {"only": {"module": "contract_tasks.Untidy"}}
    return cyto.write({"tasks": tasks}, only={"type": "container", **entry})


def see_refusal(run: services.Run, *words: str) -> None:
    """See that nothing ran, and that *words* were said."""
    assert run.code == 3, run.said
    for word in words:
        assert word in run.said, run.said
    assert "started on" not in run.said


@docker
@pytest.mark.parametrize("name", ["cellpose:latest", "my-lab/other-tool:v2"])
def test_no_such_docker_image(cyto: services.Cyto, name: str) -> None:
    services.require("docker")
    name = name.replace(":", f":{cyto.mark}-")
    run = cyto("run", one_node(cyto, runner="docker", image=name))
    see_refusal(run, "node 'only'", name, "docker build", "--profile local")
    see_refusal(run, "pipeline-resources.x.yaml:")
    if name.startswith("cellpose"):
        see_refusal(run, f"docker build -f containers/docker/cellpose/Dockerfile -t {name} .")
    local = cyto("run", cyto.folder / "pipeline.x.yaml", "--profile", "local")
    assert local.code == 0, local.said


@apptainer
def test_no_such_sif(cyto: services.Cyto) -> None:
    services.require("apptainer")
    run = cyto("run", one_node(cyto, runner="singularity", image="cellpose.sif"))
    build = "containers/apptainer/build.sh cellpose"
    see_refusal(run, "node 'only'", str(cyto.folder / "cellpose.sif"), build, "--profile local")


@apptainer
def test_a_file_that_is_no_sif(cyto: services.Cyto) -> None:
    services.require("apptainer")
    (cyto.folder / "broken.sif").write_bytes(b"SIF_MAGIC it is not" * 100)
    run = cyto("run", one_node(cyto, runner="apptainer", image="broken.sif"))
    assert run.code in {1, 3}
    assert "broken.sif" in run.said
    assert "could not run it" in run.said or "is no SIF" in run.said


@apptainer
def test_an_image_in_a_registry_is_no_sif(cyto: services.Cyto) -> None:
    services.require("apptainer")
    run = cyto("run", one_node(cyto, runner="apptainer", image="docker://registry.invalid/x:1"))
    see_refusal(run, "apptainer pull", "docker://registry.invalid/x:1")


@pytest.mark.parametrize("runner", ["docker", "podman", "apptainer"])
def test_the_program_is_not_installed(cyto: services.Cyto, tmp_path: Path, runner: str) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    (cyto.folder / "some.sif").touch()
    image = "some.sif" if runner == "apptainer" else "cellpose:latest"
    run = cyto("run", one_node(cyto, runner=runner, image=image), PATH=str(empty))
    see_refusal(run, f"{runner} is not installed", "--profile local", "node 'only'")


@docker
def test_the_daemon_is_down(cyto: services.Cyto, tmp_path: Path) -> None:
    services.require("docker")
    pipeline = one_node(cyto, runner="docker", image="cellpose:latest")
    run = cyto("run", pipeline, DOCKER_HOST=f"unix://{tmp_path / 'none.sock'}")
    see_refusal(run, "daemon does not answer", "systemctl start docker", "--profile local")
    seen = cyto("doctor", DOCKER_HOST=f"unix://{tmp_path / 'none.sock'}")
    assert seen.code == 0
    assert "docker is installed and its daemon does not answer" in seen.said


@docker
def test_the_daemon_refuses_this_user(cyto: services.Cyto, tmp_path: Path) -> None:
    services.require("docker")
    fake = tmp_path / "bin"
    fake.mkdir()
    said = "permission denied while trying to connect to the Docker daemon socket at unix:///x"
    script = fake / "docker"
    script.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    script.chmod(0o755)
    pipeline = one_node(cyto, runner="docker", image="cellpose:latest")
    run = cyto("run", pipeline, PATH=f"{fake}:{os.environ['PATH']}")
    see_refusal(run, "not permitted", "usermod -aG docker", "log")


class Recorder:
    """Stand before the real Docker, and write down what it is asked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._log = folder / "log.txt"
        script = folder / "docker"
        real = shutil.which("docker")
        script.write_text(f'#!/bin/sh\necho "$1" >>"{self._log}"\nexec "{real}" "$@"\n')
        script.chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"

    @property
    def commands(self) -> list[str]:
        return self._log.read_text().split()


@docker
@pytest.mark.parametrize(
    ("image", "pull", "pulled"),
    [
        ("{mark}:latest", None, False),
        ("registry.invalid/{mark}:1", None, True),
        ("registry.invalid/{mark}:1", "missing", True),
        ("registry.invalid/{mark}:1", "always", True),
        ("registry.invalid/{mark}:1", "never", False),
    ],
)
def test_what_may_be_pulled(
    cyto: services.Cyto, tmp_path: Path, image: str, pull: str | None, pulled: bool
) -> None:
    services.require("docker")
    recorder, name = Recorder(tmp_path / "bin"), image.format(mark=cyto.mark)
    pipeline = one_node(cyto, runner="docker", image=name, **({"pull": pull} if pull else {}))
    run = cyto("run", pipeline, PATH=recorder.path)
    see_refusal(run, name, "could not be pulled" if pulled else "there is no docker image")
    assert ("pull" in recorder.commands) is pulled
    assert "run" not in recorder.commands


@docker
def test_an_image_that_is_there_is_not_pulled(cyto: services.Cyto, tmp_path: Path) -> None:
    there, name = services.image("tasks"), f"registry.invalid/{cyto.mark}:1"
    recorder = Recorder(tmp_path / "bin")
    services.docker("tag", there, name)
    try:
        pipeline = one_node(cyto, runner="docker", image=name)
        run = cyto("run", pipeline, PATH=recorder.path)
    finally:
        services.docker("rmi", name)
    assert run.code == 0, run.said
    assert "pull" not in recorder.commands


@pytest.mark.parametrize(
    ("runner", "image"),
    [
        pytest.param("docker", "tasks", marks=docker),
        pytest.param("apptainer", "tasks-sif", marks=[docker, apptainer]),
    ],
)
def test_doctor_looks_into_an_image(cyto: services.Cyto, runner: str, image: str) -> None:
    run = cyto("doctor", "--image", services.image(image), "--runner", runner, "--json")
    assert run.code == 0, run.said
    found = {finding["name"]: finding for finding in json.loads(run.out)}
    assert found["numpy"]["fine"]
    assert found["Watershed"]["text"] == "can run"
    assert not found["CellPose"]["fine"]
    assert "cellpose" in found["CellPose"]["text"]
    assert "torch" in found["CellPose"]["text"]


@docker
def test_doctor_finds_that_numpy_lacks(cyto: services.Cyto) -> None:
    base = services.image("base")
    run = cyto("doctor", "--image", base)
    assert run.code == 3, run.said
    assert f"{base}: runs the worker on Python 3." in run.said
    assert "numpy: lacking" in run.said
    assert "install numpy in the image" in run.said


@pytest.mark.parametrize(
    ("runner", "image"),
    [
        pytest.param("docker", "tasks", marks=docker),
        pytest.param("apptainer", "tasks-sif", marks=[docker, apptainer]),
    ],
)
def test_doctor_finds_no_python(cyto: services.Cyto, runner: str, image: str) -> None:
    name = services.image(image)
    run = cyto("doctor", "--image", name, "--runner", runner, "--python", "python9")
    assert run.code == 3, run.said
    assert "python9" in run.said
    assert name in run.said


def test_doctor_and_an_absent_image(cyto: services.Cyto) -> None:
    services.require("docker")
    run = cyto("doctor", "--image", f"{cyto.mark}:latest")
    assert run.code == 3
    assert f"there is no docker image '{cyto.mark}:latest'" in run.said
