"""Files that are copies: their relative paths mean what they meant, and overrides too."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.config import load_pipeline, resources_for
from cyto.config.overrides import anchored
from cyto.config.profiles import placements


def test_paths_of_a_copy_are_relative_to_where_it_was(write):
    text = "channels: {a: data/a.tif}\ntasks: {n: {module: m.A}}\n"
    resources = "execution_configs: {hybrid: {n: {runner: apptainer, image: tasks.sif}}}\n"
    pipeline = write(text).path
    write(resources, "pipeline-resources.x.yaml")
    config = load_pipeline(pipeline, base=Path("/some where"))
    assert config.channel_path("a") == Path("/some where/data/a.tif")
    assert config.output_dir == Path("/some where/output")
    where = resources_for(pipeline, base=Path("/some where"))
    placed, _ = placements(config, where, "hybrid")
    assert placed["n"].image == "/some where/tasks.sif"
    assert load_pipeline(pipeline).channel_path("a") == pipeline.parent / "data/a.tif"


@pytest.mark.parametrize(
    ("text", "template", "wanted"),
    [
        ("channels.a.path=x y.tif", False, "channels.a.path=/here {1}/x y.tif"),
        ("channels.a.path={sample}.tif", True, "channels.a.path=/here {{1}}/{sample}.tif"),
        ("channels.a=/abs/a.tif", False, "channels.a=/abs/a.tif"),
        ("channels.a={path: b.tif, channel: 1}", False,
         'channels.a={"path": "/here {1}/b.tif", "channel": 1}'),
        ("channels.a.channel=1", False, "channels.a.channel=1"),
        ("channels.a.axes=TYX", False, "channels.a.axes=TYX"),
        ("samples=plate.csv", False, "samples=/here {1}/plate.csv"),
        ("samples=[a, b]", False, "samples=[a, b]"),
        ("tasks.n.params.model=weights.pt", False, "tasks.n.params.model=weights.pt"),
        ("pixel_size_um=0.5", False, "pixel_size_um=0.5"),
    ],
)  # fmt: skip
def test_an_override_that_means_the_same_elsewhere(monkeypatch, text, template, wanted):
    monkeypatch.setattr(Path, "cwd", lambda: Path("/here {1}"))
    assert anchored(text, template) == wanted
