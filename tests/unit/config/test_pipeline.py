"""Pipelines: what is read, and what each mistake is answered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cyto.config import Reference, is_legacy, load_pipeline, parse_reference, read_source
from cyto.errors import ConfigError

Write = Callable[..., Any]


GOOD = """\
description: two populations
channels:
  tcell: data/tcell.ome.tif
  cancer: {path: /abs/movie.tif, channel: 3, frames: [0, null, 2], crop: {y: [0, 512], x: [8, 9]}}
  death: {path: d, channel: PI, pixel_size_um: 0.3, frame_interval_s: 60, axes: TCYX}
tasks:
  seg:
    module: cyto.segmentation.watershed.Watershed
    params: {diameter_px: 25, nested: {a: [1, 2.5, null]}}
    inputs: {image: tcell}
    tags: [segmentation, tcells]
    output: true
    retries: 2
  features:
    module: my_tasks.Features
    inputs: {label: seg.label, image: tcell}
    dependencies: [seg]
  last: {module: a.B, inputs: features, params: , tags: , dependencies: }
execution_profile: hybrid
pixel_size_um: 1
seed: 7
"""


def test_a_whole_pipeline(write: Write) -> None:
    file = write(GOOD).path
    config = load_pipeline(file)
    assert list(config.tasks) == ["seg", "features", "last"]
    assert config.tasks["seg"].params == {"diameter_px": 25, "nested": {"a": [1, 2.5, None]}}
    assert config.tasks["seg"].inputs == {"image": "tcell"}
    assert config.tasks["seg"].tags == ("segmentation", "tcells")
    assert (config.tasks["seg"].output, config.tasks["seg"].retries) == (True, 2)
    last = config.tasks["last"]
    assert (last.inputs, last.params, last.tags, last.dependencies) == ("features", {}, (), ())
    assert config.channels["tcell"].path == "data/tcell.ome.tif"
    assert config.channels["cancer"].channel == 3
    assert config.channels["cancer"].frames == (0, None, 2)
    assert config.channels["cancer"].crop is not None
    assert config.channels["cancer"].crop.y == (0, 512)
    assert config.channels["death"].channel == "PI"
    assert config.channel_path("tcell") == file.parent / "data/tcell.ome.tif"
    assert config.channel_path("cancer") == Path("/abs/movie.tif")
    assert config.output_dir == file.parent / "output"
    assert config.model.seed == 7
    assert config.model.execution_profile == "hybrid"
    assert config.file == file


def test_paths_are_relative_to_the_file_whatever_the_folder(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(GOOD).path
    monkeypatch.chdir(file.parent.parent)
    config = load_pipeline(Path(file.parent.name) / file.name)
    assert config.channel_path("tcell") == file.parent / "data/tcell.ome.tif"


def test_a_problem_found_later_has_its_place(write: Write) -> None:
    file = write(GOOD).path
    config = load_pipeline(file)
    problem = config.problem(("tasks", "seg", "params", "diameter_px"), "too large", "use 20")
    assert str(problem) == (f"{file}:9:27: tasks.seg.params.diameter_px: too large\n    use 20")
    missing = config.problem(("tasks", "seg", "params", "gone"), "is missing")
    assert (missing.line, missing.path) == (9, "tasks.seg.params.gone")


def test_all_problems_are_reported_in_the_order_of_the_file(write: Write) -> None:
    text = "sed: 1\ntasks:\n  a: {module: 3, inputs: {x: nope}}\n  b c: {module: a.B}\nseed: x\n"
    with pytest.raises(ConfigError) as caught:
        load_pipeline(write(text).path)
    places = [(p.line, p.path) for p in caught.value.problems]
    assert places == [
        (1, "sed"),
        (3, "tasks.a.module"),
        (3, "tasks.a.inputs.x"),
        (4, "tasks.b c"),
        (5, "seed"),
    ]


def test_legacy_files_are_recognised(write: Write) -> None:
    old = "image_range: {}\npipeline:\n  preprocessing: [{name: x}]\n"
    assert is_legacy(read_source(write(old).path))
    assert not is_legacy(read_source(write(GOOD).path))


def test_references() -> None:
    assert parse_reference("tcell") == Reference("tcell")
    assert parse_reference("seg.label") == Reference("seg", "label")
    assert str(parse_reference("seg.label")) == "seg.label"
    for text in ("", ".label", "seg."):
        with pytest.raises(ValueError, match="is no channel, node"):
            parse_reference(text)
