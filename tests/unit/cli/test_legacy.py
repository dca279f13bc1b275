"""Stage-based pipelines on the command line: run, placed by stage, migrated, refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from cyto.config import load_pipeline

OLD = """\
channels:
  A: movie.tif
image_range: {t: [0, 100, 1]}   # more than there are
output_dir: out
pipeline:
  preprocessing:
    - name: GammaCorrection
      channels: all
      args: {gamma: 1.0, gain: 2}
      output: True
"""


@pytest.fixture
def old(project, monkeypatch):
    project.pixels = project.image("movie.tif")
    (project / "pipelines").mkdir()
    project.write(OLD, "pipelines/old.yaml")
    monkeypatch.chdir(project.folder)
    return project


def test_runs_from_where_it_is_called(old, call) -> None:
    answer = call("--pipeline", "pipelines/old.yaml", "-v")
    assert answer.code == 0, answer.err
    image = old / "out/preprocessing/GammaCorrection/A.tif"
    with tifffile.TiffFile(image) as tif:
        assert tif.is_ome
        assert tif.series[0].axes == "TYX"
        np.testing.assert_array_equal(tif.asarray(), old.pixels * 2)
    made = {path.name for path in (old / "out").iterdir()}
    ours = {".cyto", "logs", "workflow", "ro-crate-metadata.json", "report.html"}
    assert made - ours == {"preprocessing"}
    assert not (old / "pipelines" / "out").exists()
    assert "cut what their names say" in answer.err
    again = call("run", "pipelines/old.yaml")
    assert "Nothing was left to do" in again.out


def test_validate_and_plan(old, call) -> None:
    assert call("validate", "pipelines/old.yaml").out == "old.yaml: 1 nodes, all right\n"
    facts = json.loads(call("plan", "pipelines/old.yaml", "--json").out)
    assert facts["nodes"]["A_GammaCorrection"]["params"] == {"gamma": 1.0, "gain": 2.0}
    assert facts["profile"] == "local"


def test_a_profile_addresses_stages(old, call) -> None:
    text = "execution_configs:\n  two:\n    tag:preprocessing: {resources: {cpus: 2}}\n"
    old.write(text + "default_profile: two\n", "pipelines/old-resources.yaml")
    facts = json.loads(call("plan", "pipelines/old.yaml", "--json").out)
    assert facts["profile"] == "two"
    assert facts["nodes"]["A_GammaCorrection"]["resources"]["cpus"] == 2
    old.write(text.replace("two", "other"), "r.yaml")
    answer = call(
        "plan", "pipelines/old.yaml", "--resources", "r.yaml", "--profile", "other", "--json"
    )
    assert json.loads(answer.out)["nodes"]["A_GammaCorrection"]["resources"]["cpus"] == 2


def test_an_exported_file_that_is_gone_comes_back(old, call) -> None:
    call("run", "pipelines/old.yaml")
    image = old / "out/preprocessing/GammaCorrection/A.tif"
    image.unlink()
    (image.parent / ".0123456789abcdef.tmp").touch()
    assert call("run", "pipelines/old.yaml").code == 0
    assert [path.name for path in image.parent.iterdir()] == ["A.tif"]


def test_clean_knows_the_files(old, call) -> None:
    call("run", "pipelines/old.yaml")
    image = old / "out/preprocessing/GammaCorrection/A.tif"
    (image.parent / "mine.txt").touch()
    assert call("clean", "out", "--all", "--keep-outputs", "--yes").code == 0
    assert image.exists()
    call("run", "pipelines/old.yaml")
    assert call("clean", "out", "--all", "--yes").code == 0
    assert [path.name for path in image.parent.iterdir()] == ["mine.txt"]


def test_a_file_that_the_user_changed_stays(old, call) -> None:
    call("run", "pipelines/old.yaml")
    image = old / "out/preprocessing/GammaCorrection/A.tif"
    image.write_bytes(b"mine")
    assert call("clean", "out", "--all", "--yes").code == 0
    assert image.read_bytes() == b"mine"


def test_migrate_gives_the_same_results(old, call) -> None:
    answer = call("migrate", "pipelines/old.yaml")
    assert answer.out.split() == [
        "pipelines/pipeline.old.yaml", "pipelines/pipeline-resources.old.yaml",
    ]  # fmt: skip
    assert call("run", "pipelines/pipeline.old.yaml", "-o", "other").code == 0
    image = tifffile.imread(old / "other/preprocessing/GammaCorrection/A.tif")
    np.testing.assert_array_equal(image, old.pixels * 2)
    # paths mean the same: the migrated file finds what the old one computed
    call("run", "pipelines/old.yaml")
    assert "Nothing was left to do" in call("run", "pipelines/pipeline.old.yaml").out


def test_migrate_replaces_nothing_unasked(old, call) -> None:
    call("migrate", "pipelines/old.yaml", "-o", "new/pipeline.x.yaml")
    made = (old / "new/pipeline.x.yaml").read_text()
    (old / "new/pipeline.x.yaml").write_text("mine")
    answer = call("migrate", "pipelines/old.yaml", "-o", "new/pipeline.x.yaml")
    assert answer.code == 2
    assert "is there already" in answer.err
    assert (old / "new/pipeline.x.yaml").read_text() == "mine"
    assert call("migrate", "pipelines/old.yaml", "-o", "new/pipeline.x.yaml", "--force").code == 0
    assert (old / "new/pipeline.x.yaml").read_text() == made


def test_migrate_names_an_unknown_step_and_a_missing_channel(old, call) -> None:
    text = OLD.replace("GammaCorrection", "GamaCorrection").replace("movie.tif", "moovie.tif")
    text += "    - {name: GammaCorrection, channels: [A, TCel]}\n"
    old.write(text, "bad.yaml")
    answer = call("migrate", "bad.yaml")
    assert answer.code == 2
    assert (
        answer.err
        == f"""\
error: bad.yaml:2:6: channels.A: nothing is at {old / "moovie.tif"}
    relative paths are relative to the folder that cyto is called in
bad.yaml:7:13: step 1 of preprocessing (GamaCorrection): name: there is no step 'GamaCorrection'
    did you mean 'GammaCorrection'?
bad.yaml:11:45: step 2 of preprocessing (GammaCorrection): channels.1: there is no channel 'TCel'
    known channels: A
"""
    )
    assert not list(old.folder.glob("pipeline*bad*"))


def test_wrong_values_are_found_before_anything_runs(old, call) -> None:
    text = OLD.replace("gamma: 1.0, gain: 2", "gamma: -1, gain: two")
    old.write(text, "bad.yaml")
    for command in ("validate", "run", "migrate"):
        answer = call(command, "bad.yaml")
        assert answer.code == 2
        assert answer.err.startswith("error: bad.yaml:9:21: step 1 of preprocessing ("), answer.err
        assert "GammaCorrection): args.gamma: must be more than 0, not -1" in answer.err
    assert not (old / "out").exists()


def test_a_missing_image_is_named(old, call) -> None:
    (old / "movie.tif").unlink()
    answer = call("run", "pipelines/old.yaml")
    assert answer.code == 2
    assert "pipelines/old.yaml:2:6: channels.A: " in answer.err
    assert str(old / "movie.tif") in answer.err
    migrated = call("migrate", "pipelines/old.yaml")
    assert migrated.code == 0
    assert "warning: pipelines/old.yaml:2:6: channels.A: nothing is at" in migrated.err


def test_a_range_outside_of_the_image(old, call) -> None:
    old.write(OLD.replace("[0, 100, 1]", "[50, 100, 1]"), "bad.yaml")
    answer = call("validate", "bad.yaml")
    assert answer.code == 2
    assert "bad.yaml:3:18: image_range.t: frames [50, 3] are out of range" in answer.err


def test_a_crop_outside_of_the_image_names_its_axis(old, call) -> None:
    ranges = "image_range:\n  y: [0, null]\n  x: [500, null]\n"
    old.write(
        OLD.replace("image_range: {t: [0, 100, 1]}   # more than there are\n", ranges), "bad.yaml"
    )
    answer = call("validate", "bad.yaml")
    assert answer.code == 2
    assert "bad.yaml:5:6: image_range.x: crop x: [500, " in answer.err


@pytest.mark.parametrize("key", ["image_range.t", "spacing", "pipeline.preprocessing"])
def test_set_says_what_it_does_not_reach(old, call, key) -> None:
    answer = call("plan", "pipelines/old.yaml", "--set", f"{key}=[1, 2]")
    assert answer.code == 2
    assert f"does not reach '{key.partition('.')[0]}' of a stage-based file" in answer.err
    assert call("plan", "pipelines/old.yaml", "--set", "output_dir=other").code == 0


def test_overrides_are_taken_from_anything_that_gives_them(old) -> None:
    config = load_pipeline(old / "pipelines/old.yaml", iter(["execution_profile=local"]))
    assert config.model.execution_profile == "local"


def test_help_names_it(call) -> None:
    assert "migrate" in call("--help").out
    assert "stage-based" in call("migrate", "--help").out


def test_runs_again_from_its_crate_in_another_folder(old, call, monkeypatch) -> None:
    assert call("run", "pipelines/old.yaml").code == 0
    elsewhere = old / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    answer = call("rerun", "../out")
    assert answer.code == 0, answer.err
    assert "all 1 files are the same as in the recorded run" in answer.err
    assert (elsewhere / "rerun/preprocessing/GammaCorrection/A.tif").exists()
