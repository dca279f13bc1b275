"""A crate can be run again: from its folder, its metadata or a zip, here or elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import zipfile

import pytest

PIPELINE = """
channels: {tcell: data/movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 3}, output: true}
  again: {module: MODULE.Scale, inputs: {image: scale}, output: true}
"""
RESOURCES = "execution_configs: {mine: {default: {type: baremetal, resources: {cpus: 1}}}}\n"


@pytest.fixture
def deposit(lab, call, monkeypatch):
    """Give the crate of a run whose files, but for its image, are gone."""
    (lab / "data").mkdir()
    (lab / "movie.tif").rename(lab / "data/movie.tif")
    lab.write(RESOURCES, "pipeline-resources.x.yaml")
    lab.write(PIPELINE)
    monkeypatch.chdir(lab.folder)
    options = ("--profile", "mine", "--set", "tasks.again.params.factor=5")
    assert call("run", "pipeline.x.yaml", *options, "-o", "made").code == 0
    lab.pipeline.unlink()
    (lab / "pipeline-resources.x.yaml").unlink()
    (lab / f"{lab.module}.py").unlink()
    crate = lab / "a crate ü"
    shutil.copytree(lab / "made", crate, ignore=shutil.ignore_patterns(".cyto"))
    return crate


def started(folder):
    (record,) = (folder / ".cyto/runs").glob("*/events.jsonl")
    return json.loads(record.read_text().splitlines()[0])


@pytest.mark.parametrize("form", ["folder", "metadata", "zip", "zip of the folder"])
def test_it_runs_again_with_what_was_asked(lab, deposit, form):
    place = {"folder": deposit, "metadata": deposit / "ro-crate-metadata.json"}.get(form)
    if place is None:
        root = deposit if form == "zip" else deposit.parent
        place = lab / "deposit.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for path in sorted(deposit.rglob("*")):
                archive.write(path, os.path.relpath(path, root))
        shutil.rmtree(deposit)
    answer = lab.cyto("rerun", place)
    assert answer.code == 0, answer.err
    assert "all 2 files are the same as in the recorded run" in answer.err
    assert "warning" not in answer.err
    nodes = started(lab / "rerun")["nodes"]
    assert started(lab / "rerun")["profile"] == "mine"
    assert nodes["scale"]["params"]["factor"] == 3
    assert nodes["again"]["params"]["factor"] == 5
    third = lab.cyto("rerun", lab / "rerun", "-o", "third")
    assert third.code == 0, "a crate of a crate"
    assert "all 2 files are the same" in third.err


def test_inputs_that_changed_or_are_gone_are_named(lab, deposit):
    movie = lab / "data/movie.tif"
    whole = movie.read_bytes()
    movie.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    answer = lab.cyto("rerun", deposit)
    assert answer.code == 3
    assert f"tcell: {movie} has other contents" in answer.err
    assert "--set channels.tcell.path=PATH" in answer.err
    movie.write_bytes(whole + b"more")
    assert f"{movie} has {len(whole) + 4} bytes, not {len(whole)}" in lab.cyto("rerun", deposit).err
    movie.rename(lab / "data/other.tif")
    assert f"tcell: {movie} is missing" in lab.cyto("rerun", deposit).err
    assert not (lab / "rerun").exists(), "nothing was begun"


def test_inputs_can_be_elsewhere(lab, deposit):
    (lab / "data/movie.tif").rename(lab / "moved.tif")
    answer = lab.cyto("rerun", deposit, "--set", "channels.tcell.path=moved.tif")
    assert answer.code == 0, answer.err
    assert "warning" not in answer.err
    assert "all 2 files are the same" in answer.err
    lab.image("other.tif", (2, 8, 9))
    answer = lab.cyto("rerun", deposit, "-o", "two", "--set", "channels.tcell.path=other.tif")
    assert answer.code == 0
    assert "warning: channel 'tcell' is not what it was" in answer.err
    assert "0 of 2 files are the same; these are not:\n  scale/image.ome.tif" in answer.err


def test_what_is_to_be_different_is_said(lab, deposit):
    answer = lab.cyto("rerun", deposit, "--set", "tasks.again.params.factor=6")
    assert "1 of 2 files are the same; these are not:\n  again/image.ome.tif" in answer.err


def test_another_version_is_named(lab, deposit):
    path = deposit / "ro-crate-metadata.json"
    graph = json.loads(path.read_text())
    for entity in graph["@graph"]:
        if entity["@id"] == "#asked":
            entity["value"] = json.dumps({**json.loads(entity["value"]), "cyto": "0.0.1"})
    path.write_text(json.dumps(graph))
    answer = lab.cyto("rerun", deposit)
    assert answer.code == 0
    assert "the recorded run had 0.0.1" in answer.err


def test_samples_run_again_from_the_table_in_the_crate(lab, call, monkeypatch):
    monkeypatch.chdir(lab.folder)
    for name in ("w1", "w2"):
        lab.image(f"{name}.tif", (2, 4, 4))
    lab.write("sample,treatment\nw1,x\nw2,y\n", "plate.csv")
    lab.write(
        "samples: nothing.csv\nchannels: {m: '{sample}.png'}\n"
        "tasks: {scale: {module: MODULE.Scale, output: true}}\n"
    )
    options = ("--set", "samples=plate.csv", "--set", "channels.m.path={sample}.tif")
    assert call("run", lab.pipeline, *options).code == 0
    (lab / "plate.csv").unlink()
    (lab / "rest").mkdir()
    monkeypatch.chdir(lab / "rest")
    answer = call("rerun", lab / "output")
    assert answer.code == 0, answer.err
    assert "all 2 files are the same" in answer.err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda crate: (crate / "ro-crate-metadata.json").unlink(), "there is no crate"),
        (lambda crate: (crate / "ro-crate-metadata.json").write_text("{"), "is no crate"),
        (lambda crate: (crate / "ro-crate-metadata.json").write_text("[]"), "is no crate"),
        (
            lambda crate: (crate / "ro-crate-metadata.json").write_text('{"@graph": []}'),
            "does not say what was asked",
        ),
        (
            lambda crate: (crate / "ro-crate-metadata.json").write_text(
                '{"@graph": [{"@id": "#asked", "value": "{}"}]}'
            ),
            "the crate is damaged",
        ),
        (lambda crate: shutil.rmtree(crate / "workflow"), "there is no folder"),
    ],
)
def test_what_is_no_crate(call, deposit, spoil, words):
    spoil(deposit)
    answer = call("rerun", deposit)
    assert answer.code == 2
    assert words in answer.err


def test_a_zip_cannot_write_elsewhere(lab, call, deposit):
    place = lab / "bad.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.write(deposit / "ro-crate-metadata.json", "ro-crate-metadata.json")
        archive.writestr("workflow/../../evil.py", "x")
    answer = call("rerun", place)
    assert answer.code == 2
    assert "which no crate has" in answer.err
    assert not list(lab.folder.glob("**/evil.py"))


def test_not_into_the_crate_itself(call, deposit):
    assert "into the crate itself" in call("rerun", deposit, "-o", deposit).err
