"""What the README shows works: its YAML is valid, its commands run, its task runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cyto.config import load_pipeline, placements, resources_for

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def cyto(*args: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / "cyto"
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, check=False)


def named_blocks() -> dict[str, str]:
    """Blocks whose first line is a comment with a file's name."""
    found = {}
    for _, text in BLOCKS:
        match = re.match(r"# ([\w.-]+\.(?:yaml|py))", text)
        if match:
            found[match[1]] = text
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the README's files and a movie such as they speak of."""
    for name, text in named_blocks().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    rng = np.random.default_rng(0)
    movie = rng.integers(90, 110, (3, 2, 64, 64)).astype(np.uint16)
    movie[:, :, 20:36, 20:36] += 900
    metadata = {"axes": "TCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "movie.ome.tif", movie, ome=True, metadata=metadata)
    return tmp_path


def test_the_readme_shows_its_files() -> None:
    assert {"pipeline.killing.yaml", "pipeline-resources.killing.yaml", "mytasks.py"} <= set(
        named_blocks()
    )


def commands(program: str) -> list[str]:
    lines = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("line", commands("cyto"))
def test_a_command_of_the_readme_runs(line: str, folder: Path) -> None:
    done = cyto(*shlex.split(line, comments=True)[1:], cwd=folder)
    needs_image = "run" in line.split()[1] and "--profile local" not in line
    # without their images the containers are refused before anything runs, and said how to make
    assert done.returncode in ({0, 3} if needs_image else {0}), done.stderr
    if done.returncode == 3:
        assert "--profile local" in done.stderr


def test_the_clusters_file_that_the_readme_shows_means_what_it_says(folder: Path) -> None:
    tasks = "{tcell_segmentation: {module: a.B}, area: {module: a.B, tags: [features]}}"
    (folder / "pipeline.cluster.yaml").write_text(f"tasks: {tasks}\n", encoding="utf-8")
    pipeline = load_pipeline(folder / "pipeline.cluster.yaml")
    resources = resources_for(folder / "pipeline.cluster.yaml")
    found, warnings = placements(pipeline, resources, "cluster")
    cells, area = found["tcell_segmentation"], found["area"]
    assert warnings == []
    assert (cells.launcher, cells.environment, cells.max_parallel) == ("slurm", "apptainer", 8)
    options = {"account": "lab", "time": "240", "partition": "gpu", "gres": "gpu:1"}
    assert dict(cells.launcher_options) == options
    assert (area.launcher, area.group, area.resources.walltime_s) == ("slurm", 50, 600)
    assert dict(area.launcher_options) == {"account": "lab"}


def test_the_mistake_that_the_readme_shows(folder: Path) -> None:
    pipeline = folder / "pipeline.killing.yaml"
    pipeline.write_text(pipeline.read_text().replace("diameter: 25", "diametre: 25"))
    shown = next(text for kind, text in BLOCKS if kind == "text" and "diametre" in text)
    done = cyto("validate", pipeline.name, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.strip() == shown.strip()


def test_the_task_that_the_readme_shows_runs(folder: Path) -> None:
    (folder / "pipeline.own.yaml").write_text(
        "channels: {cells: {path: movie.ome.tif, channel: 1}}\n"
        "tasks:\n"
        "  mask: {module: mytasks.Threshold, params: {level: 500}, output: true}\n"
    )
    done = cyto("run", "pipeline.own.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    label = tifffile.imread(folder / "output" / "mask" / "label.ome.tif")
    assert label.shape == (3, 64, 64)
    assert int(label.sum()) == 3 * 16 * 16


@pytest.mark.parametrize(
    "pipeline", sorted((ROOT / "pipelines").glob("pipeline.*.yaml")), ids=lambda p: p.name
)
def test_every_shipped_pipeline_is_valid(pipeline: Path, tmp_path: Path) -> None:
    """With its channels pointed at a movie, whose files are not shipped."""
    from cyto.config import load_pipeline

    movie = tmp_path / "movie.tif"
    tifffile.imwrite(movie, np.zeros((2, 16, 16), np.uint16), metadata={"axes": "TYX"})
    config = load_pipeline(pipeline)
    sampled = config.model.samples is not None
    path = tmp_path / "{sample}.tif" if sampled else movie
    sets = [part for name in config.channels for part in ("--set", f"channels.{name}.path={path}")]
    sets += ["--set", "samples=[movie]"] if sampled else []
    done = cyto("validate", str(pipeline), *sets)
    assert done.returncode == 0, done.stderr
