"""A stage-based file written down in the present format: text, comments, resources."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cyto.config import (
    choose_profile,
    load_pipeline,
    placements,
    read_source,
    resources_for,
    schema,
)
from cyto.config.legacy.comments import comments_of
from cyto.config.legacy.migration import default_name, migrate
from cyto.errors import ConfigError

SHIPPED = sorted((Path(__file__).parents[3] / "pipelines" / "legacy").glob("*.yaml"))
OLD = """\
# Of plate 3,
# done by hand
description: "yes"  # text, no truth value
microscope: Confocal
channels:
  # path to the tiff files
  A: data/a.tif  # T cells
  # C: data/c.tif
  B: '010'
output_dir: ~/out
pipeline:
  # bright things
  preprocessing:
    # first
    - name: GammaCorrection # of both
      channels: [A, B] # these
      args:
        # the power
        gamma: 0.5 # half
        gain: 1.0
      output: True # keep
    # - name: PercentileNormalization
    #   channels: all
  segmentation:
    - name: CellPose
      channels: [A]
      args: {model_type: "a # b", gpu: True}
# the end
"""
NEW = """\
# Made from old.yaml by cyto migrate: the same results in the same files.
# microscope: Confocal
# Of plate 3,
# done by hand
description: 'yes'  # text, no truth value

channels:
  # path to the tiff files
  A: ../data/a.tif  # T cells
  # C: data/c.tif
  B: ../010
output_dir: ~/out

tasks:
  # bright things
  # first
  # these
  # of both
  A_GammaCorrection:
    module: cyto.preprocessing.gamma.GammaCorrection
    params:
      # the power
      gamma: 0.5  # half
      # keep
      gain: 1.0
    inputs: {image: A}
    tags: [preprocessing, GammaCorrection]
    output:
      compression: zlib
      files: {image: preprocessing/GammaCorrection/A.tif}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(old: Path, new: Path) -> None:
    for path, text in migrate(old, new).files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_comments_stay_where_they_were(here: Path) -> None:
    (here / "old.yaml").write_text(OLD, encoding="utf-8")
    made = migrate("old.yaml", Path("new/pipeline.x.yaml"))
    pipeline, resources = made.files.values()
    assert list(made.files) == [
        Path("new/pipeline.x.yaml"), Path("new/pipeline-resources.x.yaml"),
    ]  # fmt: skip
    assert pipeline.startswith(NEW)
    assert pipeline.endswith("\n# the end\n")
    for comment in comments_of(OLD):
        assert pipeline.count(comment.text.lstrip("# ")) == OLD.count(comment.text.lstrip("# "))
    assert "model_type: 'a # b'" in pipeline
    assert "leave it out where there is none" in resources


def test_comments_are_what_stands_between_tokens() -> None:
    text = "a: \"# no\" # one\nb: |\n  # no\n  text\n# two\nc: [1, # three\n  2]\n'#d': x#y\n"
    assert [(c.line, c.text, c.alone) for c in comments_of(text)] == [
        (1, "# one", False), (5, "# two", True), (6, "# three", False),
    ]  # fmt: skip


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_ones_mean_the_same_after(file: Path, here: Path) -> None:
    new = here / "deep" / "er" / "pipeline.new.yaml"
    written(file, new)
    before, after = load_pipeline(file), load_pipeline(new)
    assert after.warnings == ()
    assert after.tasks == before.tasks
    assert list(after.tasks) == list(before.tasks)
    assert after.output_dir.resolve() == before.output_dir
    for name, channel in before.channels.items():
        same = after.channels[name].model_copy(update={"path": channel.path})
        assert same == channel
        assert after.channel_path(name).resolve() == before.channel_path(name)
    Draft202012Validator(schema("pipeline")).validate(read_source(new).data)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_resources_file_has_the_seeds_profiles(file: Path, here: Path) -> None:
    new = here / "pipeline.new.yaml"
    written(file, new)
    config, resources = load_pipeline(new), resources_for(new)
    assert list(resources.profiles) == ["local", "hybrid", "container", "cluster"]
    assert choose_profile(None, config, resources)[0] == "local"
    placed = {name: placements(config, resources, name) for name in resources.profiles}
    assert [warnings for _, warnings in placed.values()] == [[]] * 4
    assert {p.environment for p in placed["local"][0].values()} == {"baremetal"}
    assert {p.environment for p in placed["container"][0].values()} == {"docker"}
    assert {p.launcher for p in placed["cluster"][0].values()} == {"slurm"}
    for node, placement in placed["hybrid"][0].items():
        network = config.tasks[node].tags[-1] in {"CellPose", "StarDist"}
        assert placement.environment == ("docker" if network else "baremetal")
    Draft202012Validator(schema("resources")).validate(resources.source.data)


def test_the_old_files_own_resources_go_along(here: Path) -> None:
    (here / "old.yaml").write_text(OLD + "execution_profile: big\n", encoding="utf-8")
    own = "# mine\nexecution_configs:\n  big: {tag:segmentation: {image: x:1}}\n"
    (here / "old-resources.yaml").write_text(own, encoding="utf-8")
    beside = here / "pipeline.new.yaml"
    assert migrate("old.yaml", beside).files[here / "pipeline-resources.new.yaml"] == own
    assert "in its copy" not in str(migrate("old.yaml", beside).notes)
    written(Path("old.yaml"), beside)
    config, resources = load_pipeline(beside), resources_for(beside)
    assert choose_profile(None, config, resources)[0] == "big"
    below = migrate("old.yaml", here / "below/pipeline.new.yaml")
    assert "relative paths in its copy" in str(below.notes)
    same = migrate("old.yaml", here / "old.yml")
    assert list(same.files) == [here / "old.yml"], "it has its resources already"


def test_who_made_it_and_its_licence_go_along(here: Path) -> None:
    head = "authors: [{name: First Author, affiliation: A}, Second Author]\nlicense: MIT\n"
    (here / "old.yaml").write_text(head + OLD, encoding="utf-8")
    written(Path("old.yaml"), here / "pipeline.new.yaml")
    new, old = load_pipeline("pipeline.new.yaml"), load_pipeline("old.yaml")
    assert [author.name for author in new.authors] == ["First Author", "Second Author"]
    assert (new.authors, new.model.license) == (old.authors, old.model.license)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("killing.yaml", "pipeline.killing.yaml"),
        ("pipeline_killing.yml", "pipeline.killing.yaml"),
        ("pipeline.yaml", "pipeline.migrated.yaml"),
        ("pipeline.killing.yaml", "pipeline.killing_migrated.yaml"),
        ("a/legacy_pipeline.yaml", "a/pipeline.migrated.yaml"),
    ],
)
def test_the_new_name(old: str, new: str) -> None:
    assert default_name(Path(old)) == Path(new)


def test_a_file_of_the_present_format(here: Path) -> None:
    (here / "new.yaml").write_text("tasks: {a: {module: a.B}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no stage-based pipeline"):
        migrate("new.yaml", here / "pipeline.x.yaml")
