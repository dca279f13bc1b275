"""The shipped pipelines, the seeds' two examples, and the JSON schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from jsonschema import Draft202012Validator

from cyto.config import choose_profile, load_pipeline, placements, resources_for, schema
from cyto.config.schemas import FILES, SHIPPED
from cyto.config.source import read_source
from cyto.core.placement import Placement, Resources

ROOT = Path(__file__).parents[3]
PIPELINES = ROOT / "pipelines"
SHIPPED_PIPELINES = sorted(PIPELINES.glob("pipeline.*.yaml"))
GiB = 2**30

SEED_TASKS = """\
tasks:
  tcell_segmentation:
    module: cyto.segmentation.cellpose.CellPose
    params:
      model_type: cyto2
      cellprob_thresh: -1
      gpu: true
      channels: [0, 0]
      batch_size: 8
      diameter: 25
      verbose: true
    dependencies: []
    tags:
      - segmentation
      - tcells
---
  cancer_segmentation:
    module: cyto.segmentation.cellpose.CellPose
    params:
      model_type: cyto2
      cellprob_thresh: -1
      gpu: true
      channels: [0, 0]
      batch_size: 8
      diameter: 30
      verbose: true
    dependencies: []
    tags:
      - segmentation
      - cancer
"""
SEED_RESOURCES = """\
execution_configs:
  # Hybrid execution - segmentation in containers, features on baremetal
  hybrid:
    tcell_segmentation:
      type: container
      runner: docker
      image: cellpose:latest
      resources:
        memory: 8Gi
        gpu: 1
---
    tcell_features:
      type: baremetal  # Run on host system

  # Full container execution
  container:
    tcell_segmentation:
      type: container
      runner: docker
      image: cellpose:latest
      resources:
        memory: 8Gi
        gpu: 1
---
    tcell_features:
      type: container
      runner: docker
      image: python:3.9-slim
---

  # Local development (all baremetal)
  local:
    tcell_segmentation:
      type: baremetal
---
    tcell_features:
      type: baremetal
---
  cluster:
    tcell_segmentation:
      type: container
      runner: singularity
      image: cellpose.sif
      resources:
        mem: 32G
        partition: gpu_short
        cpus-per-task: 16
        gres: gpu:1
        batch_size: 100
---
  cloud:
    tcell_segmentation:
      type: container
      runner: docker
      image: your-registry/cellpose:v1.0
      resources:
        memory: 16Gi
        gpu: 1
        node_selector:
          accelerator: nvidia-tesla-v100
---
default_profile: hybrid
"""


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("pipeline.container_example.yaml", SEED_TASKS),
        ("pipeline-resources.container_example.yaml", SEED_RESOURCES),
    ],
)
def test_the_seeds_lines_are_shipped_verbatim(name: str, seed: str) -> None:
    text = (PIPELINES / name).read_text()
    for part in seed.split("---\n"):
        assert part in text


def placed(profile: str) -> dict[str, Placement]:
    file = PIPELINES / "pipeline.container_example.yaml"
    found, warnings = placements(load_pipeline(file), resources_for(file), profile)
    assert warnings == []
    return found


def test_the_seeds_profiles() -> None:
    hybrid = placed("hybrid")
    assert hybrid["tcell_segmentation"].image == "cellpose:latest"
    assert hybrid["tcell_segmentation"].resources == Resources(memory_bytes=8 * GiB, gpus=1)
    assert hybrid["tcell_features"].environment == "baremetal"
    assert {p.environment for p in placed("container").values()} == {"docker"}
    assert {p.environment for p in placed("local").values()} == {"baremetal"}
    cluster = placed("cluster")["tcell_segmentation"]
    assert (cluster.environment, cluster.launcher) == ("apptainer", "slurm")
    assert cluster.image == str(PIPELINES / "cellpose.sif")
    assert cluster.resources == Resources(cpus=16, memory_bytes=32 * GiB, gpus=1)
    assert dict(cluster.launcher_options) == {"partition": "gpu_short", "gres": "gpu:1"}
    assert cluster.batch_size == 100
    cloud = placed("cloud")["tcell_segmentation"]
    assert cloud.node_selector == (("accelerator", "nvidia-tesla-v100"),)
    assert (cloud.launcher, cloud.resources.memory_bytes) == ("local", 16 * GiB)


def test_the_seeds_pipeline() -> None:
    config = load_pipeline(PIPELINES / "pipeline.container_example.yaml")
    assert config.tasks["tcell_segmentation"].params["diameter"] == 25
    assert config.tasks["tcell_segmentation"].params["channels"] == [0, 0]
    assert config.tasks["cancer_segmentation"].tags == ("segmentation", "cancer")
    resources = resources_for(config.file)
    assert choose_profile(None, config, resources)[0] == "hybrid"


@pytest.mark.parametrize("file", SHIPPED_PIPELINES, ids=lambda file: file.name)
def test_shipped_pipelines_are_valid_in_every_profile(file: Path) -> None:
    config, resources = load_pipeline(file), resources_for(file)
    for profile in resources.profiles:
        found, warnings = placements(config, resources, profile)
        assert list(found) == list(config.tasks)
        assert warnings == []
    Draft202012Validator(schema("pipeline")).validate(read_source(file).data)
    if resources.present:
        Draft202012Validator(schema("resources")).validate(resources.source.data)


def test_the_quickstart_needs_nothing() -> None:
    config = load_pipeline(PIPELINES / "pipeline.quickstart.yaml")
    resources = resources_for(config.file)
    assert choose_profile(None, config, resources)[0] == "local"
    assert all(task.output for task in config.tasks.values())


@pytest.mark.parametrize("kind", ["pipeline", "resources"])
def test_shipped_schemas_are_fresh(kind: Literal["pipeline", "resources"]) -> None:
    made = schema(kind)
    Draft202012Validator.check_schema(made)
    shipped = json.loads((SHIPPED / FILES[kind]).read_text(encoding="utf-8"))
    assert shipped == made, "run: python -c 'from cyto.config import *; write_schemas()'"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("pipeline", {"task": {}}),
        ("pipeline", {"tasks": {"a": {"module": "a.B", "dependencies": 3}}}),
        ("pipeline", {"tasks": {"a": {"module": "a.B", "output": "yes"}}}),
        ("pipeline", {"tasks": {"a": {"module": "a.B"}}, "channels": {"c": {"chanel": 1}}}),
        ("resources", {"execution_configs": {"p": {"n": {"typ": "container"}}}}),
        ("resources", {"execution_configs": {"p": {"n": {"resources": {"memry": 1}}}}}),
    ],
)
def test_schemas_refuse_what_the_reader_refuses(
    kind: Literal["pipeline", "resources"], data: dict[str, object]
) -> None:
    assert not Draft202012Validator(schema(kind)).is_valid(data)


def test_every_key_has_a_description() -> None:
    for kind in ("pipeline", "resources"):
        made = schema(kind)  # type: ignore[arg-type]
        for part in [made, *made["$defs"].values()]:
            assert part["description"]
            for key, value in part["properties"].items():
                assert value.get("description"), key


def test_importing_the_package_loads_neither_pydantic_nor_yaml() -> None:
    code = (
        "import sys, cyto.config\n"
        "sys.exit(str({'pydantic', 'yaml'} & set(sys.modules)) if"
        " {'pydantic', 'yaml'} & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
