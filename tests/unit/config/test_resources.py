"""Resources files: spellings, units, and what each mistake is answered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cyto.config import companion, load_resources, placement_from_execution_config, resources_for
from cyto.core.placement import Bind, Placement, Resources
from cyto.errors import ConfigError

Write = Callable[..., Any]

GiB = 2**30
BOX = "execution_configs:\n  hybrid:\n    seg:\n      image: x\n"


def placed(**resources: object) -> Placement:
    return placement_from_execution_config({"resources": resources})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cpus": 4}, Resources(cpus=4)),
        ({"cpus-per-task": 16}, Resources(cpus=16)),
        ({"cpus_per_task": 16}, Resources(cpus=16)),
        ({"memory": "8Gi"}, Resources(memory_bytes=8 * GiB)),
        ({"memory": "32G"}, Resources(memory_bytes=32 * GiB)),
        ({"memory": "8GB"}, Resources(memory_bytes=8 * 10**9)),
        ({"memory": 2 * GiB}, Resources(memory_bytes=2 * GiB)),
        ({"mem": "32G"}, Resources(memory_bytes=32 * GiB)),
        ({"mem": "32GB"}, Resources(memory_bytes=32 * GiB)),
        ({"mem": 4096}, Resources(memory_bytes=4 * GiB)),
        ({"mem": "4096"}, Resources(memory_bytes=4 * GiB)),
        ({"gpu": 1}, Resources(gpus=1)),
        ({"gpu": 0}, Resources(gpus=0)),
        ({"gpus": 2}, Resources(gpus=2)),
        ({"gres": "gpu:1"}, Resources(gpus=1)),
        ({"gres": "gpu"}, Resources(gpus=1)),
        ({"gres": "gpu:a100:2"}, Resources(gpus=2)),
        ({"gres": "gpu:a100"}, Resources(gpus=1)),
        ({"gres": "gpu:a100:2,gpu:t4:1,lustre:1"}, Resources(gpus=3)),
        ({"gres": "gpu:2(S:0-1)"}, Resources(gpus=2)),
        ({"gres": "lustre:1", "gpus": 1}, Resources(gpus=1)),
        ({"walltime": "2h"}, Resources(walltime_s=7200)),
        ({"walltime": 90}, Resources(walltime_s=90)),
        ({"walltime": "01:30:00"}, Resources(walltime_s=5400)),
        ({"time": "1-00:30:00"}, Resources(walltime_s=88200)),
        ({"time": 30}, Resources(walltime_s=1800)),
        ({"time": "30"}, Resources(walltime_s=1800)),
        ({"time": "10:30"}, Resources(walltime_s=630)),
    ],
)
def test_spellings_of_amounts(given: dict[str, object], expected: Resources) -> None:
    assert placed(**given).resources == expected


@pytest.mark.parametrize(
    ("given", "launcher"),
    [
        ({}, "local"),
        ({"cpus": 4, "mem": "1G", "time": 10, "gpus": 1, "batch_size": 5}, "local"),
        ({"partition": "gpu"}, "slurm"),
        ({"gres": "gpu:1"}, "slurm"),
        ({"cpus-per-task": 2}, "slurm"),
        ({"cpus_per_task": 2}, "slurm"),
        ({"account": "lab"}, "slurm"),
        ({"exclusive": True}, "slurm"),
        ({"exclusive": False}, "local"),
        ({"partition": None}, "local"),
    ],
)
def test_keys_that_only_slurm_knows_imply_it(given: dict[str, object], launcher: str) -> None:
    assert placed(**given).launcher == launcher


def test_options_of_sbatch_go_to_the_launcher_under_their_names() -> None:
    placement = placed(
        partition="gpu_short",
        gres="gpu:a100:2",
        nodelist=["n1", "n2"],
        nice=-5,
        exclusive=True,
        requeue=False,
        oversubscribe="yes",
        mem="1G",
    )
    assert dict(placement.launcher_options) == {
        "partition": "gpu_short",
        "gres": "gpu:a100:2",
        "nodelist": "n1,n2",
        "nice": "-5",
        "exclusive": "",
        "oversubscribe": "yes",
    }


def test_what_an_entry_says_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    placement = placement_from_execution_config(
        {
            "type": "container",
            "runner": "docker",
            "image": "cyto-tasks:latest",
            "pull": "never",
            "network": True,
            "binds": ["data:/data", "/m:/models:rw", {"source": "/a:b", "target": "/c"}],
            "env": {"OMP_NUM_THREADS": 4, "NAME": "a b"},
            "python": "pixi run -e 'g p u' python",
            "pids": 64,
            "resources": {"batch_size": 100, "node_selector": {"accelerator": "v100", "zone": 3}},
        }
    )
    assert placement == Placement(
        environment="docker",
        image="cyto-tasks:latest",
        pull="never",
        network=True,
        binds=(
            Bind(str(tmp_path / "data"), "/data"),
            Bind("/m", "/models", writable=True),
            Bind("/a:b", "/c"),
        ),
        env=(("OMP_NUM_THREADS", "4"), ("NAME", "a b")),
        python=("pixi", "run", "-e", "g p u", "python"),
        pids=64,
        batch_size=100,
        node_selector=(("accelerator", "v100"), ("zone", "3")),
        source="execution_config",
    )


@pytest.mark.parametrize(
    ("entry", "environment", "image"),
    [
        ({}, "baremetal", None),
        ({"type": "baremetal"}, "baremetal", None),
        ({"image": "x"}, "docker", "x"),
        ({"type": "container", "image": "a/b:1"}, "docker", "a/b:1"),
        ({"runner": "podman", "image": "localhost/x"}, "podman", "localhost/x"),
        ({"runner": "singularity", "image": "docker://x"}, "apptainer", "docker://x"),
        ({"runner": "apptainer", "image": "x.sif"}, "apptainer", "HERE/x.sif"),
        ({"runner": "apptainer", "image": "i/x.sif"}, "apptainer", "HERE/i/x.sif"),
        ({"runner": "apptainer", "image": "/i/x.sif"}, "apptainer", "/i/x.sif"),
        ({"runner": "apptainer", "image": "./box"}, "apptainer", "HERE/box"),
        ({"runner": "apptainer", "image": "sand/box"}, "apptainer", "HERE/sand/box"),
        ({"runner": "apptainer", "image": "repo/box"}, "apptainer", "repo/box"),
        ({"runner": "apptainer", "image": Path("p.sif")}, "apptainer", "HERE/p.sif"),
    ],
)
def test_environments_and_images(
    entry: dict[str, object],
    environment: str,
    image: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sand/box").mkdir(parents=True)
    placement = placement_from_execution_config(entry)
    assert placement.environment == environment
    assert placement.image == (image.replace("HERE", str(tmp_path)) if image else None)


def test_gpus_in_slurms_spelling_fit_a_local_launcher(write: Write) -> None:
    text = BOX + "      launcher: local\n      resources: {gres: 'gpu:1', cpus-per-task: 2}"
    load_resources(write(text).path)


def test_every_profile_is_checked(write: Write) -> None:
    text = "execution_configs:\n  a: {x: {typ: b}}\n  b: {y: {resources: {cpus: 0}}}\n"
    with pytest.raises(ConfigError) as caught:
        load_resources(write(text).path)
    assert [(p.line, p.path) for p in caught.value.problems] == [
        (2, "execution_configs.a.x.typ"),
        (3, "execution_configs.b.y.resources.cpus"),
    ]


def test_execution_config_of_a_call_in_python() -> None:
    with pytest.raises(ConfigError) as caught:
        placement_from_execution_config({"image": "x", "resources": {"memry": 1}})
    problem = caught.value.problems[0]
    assert problem.path == "execution_config.resources.memry"
    assert problem.file is None
    assert "did you mean 'memory'" in problem.hint
    with pytest.raises(ConfigError, match=r"execution_config: expected a mapping .* received 'doc"):
        placement_from_execution_config("docker")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pipeline", "resources"),
    [
        ("pipeline.x.yaml", "pipeline-resources.x.yaml"),
        ("pipeline.a.b.yaml", "pipeline-resources.a.b.yaml"),
        ("pipeline.yaml", "pipeline-resources.yaml"),
        ("assay.yml", "assay-resources.yml"),
    ],
)
def test_companions(pipeline: str, resources: str, tmp_path: Path) -> None:
    assert companion(tmp_path / pipeline) == tmp_path / resources


def test_a_companion_with_the_other_ending_is_found(tmp_path: Path) -> None:
    (tmp_path / "pipeline-resources.x.yml").touch()
    assert companion(tmp_path / "pipeline.x.yaml").name == "pipeline-resources.x.yml"


def test_without_a_companion_there_are_no_profiles(tmp_path: Path) -> None:
    none = resources_for(tmp_path / "pipeline.x.yaml")
    assert not none.present
    assert none.file == tmp_path / "pipeline-resources.x.yaml"
    with pytest.raises(ConfigError, match="no such resources file"):
        resources_for(tmp_path / "pipeline.x.yaml", tmp_path / "given.yaml")


def test_a_given_file_wins_over_the_companion(tmp_path: Path) -> None:
    (tmp_path / "pipeline-resources.x.yaml").write_text("nonsense: [")
    given = tmp_path / "mine.yaml"
    given.write_text("execution_configs: {mine: {}, empty: }")
    assert list(resources_for(tmp_path / "pipeline.x.yaml", given).profiles) == ["mine", "empty"]
