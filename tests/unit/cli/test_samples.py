"""What commands say of a pipeline with samples."""

from __future__ import annotations

import json

import pytest

PIPELINE = """
samples: samples.csv
channels: {m: "{sample}.tif"}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 3}, output: true}
"""
NAMES = [f"w{i}" for i in range(1, 61)]


@pytest.fixture
def plate(lab):
    """Give a project with sixty samples."""
    for name in NAMES:
        lab.image(f"{name}.tif", (1, 4, 4))
    rows = [f"{name},{'x' if i % 2 else 'y'}" for i, name in enumerate(NAMES)]
    lab.write("\n".join(["sample,[treatment]", *rows]) + "\n", "samples.csv")
    return lab.write(PIPELINE)


def test_a_plan_is_short(plate, call):
    answer = call("plan", plate)
    assert answer.code == 0
    assert "60 ×" in answer.out
    assert "[treatment]" in answer.out
    assert "w40" in answer.out
    assert "w41" not in answer.out
    assert "and 20 more samples" in answer.out
    assert len(answer.out.splitlines()) < 60
    data = json.loads(call("plan", plate, "--json").out)
    assert len(data["nodes"]) == 60
    assert data["samples"]["w2"] == {"[treatment]": "x"}
    graph = call("plan", plate, "--mermaid").out
    assert len(graph.splitlines()) == 4


def test_a_bad_sample(plate, lab, call):
    (lab / "w3.tif").unlink()
    answer = call("plan", plate)
    assert answer.code == 0
    assert "fault" in answer.out
    answer = call("validate", plate)
    assert answer.code == 2
    assert f"error: {plate}:3:15: channels.m: sample 'w3': no such file" in answer.err
    assert "60 samples, 60 nodes, 1 channels of samples have faults" in answer.out
    answer = call("validate", plate, "--json")
    assert answer.code == 2
    said = json.loads(answer.out)
    assert (said["valid"], len(said["problems"])) == (False, 1)
    choice = ["--sample", "w2", "--sample", "w3", "--sample", "w4"]
    answer = call("run", plate, *choice)
    assert answer.code == 1
    assert "error: " in answer.err
    assert "w3/scale" in answer.out
    assert "2 succeeded, 1 failed" in answer.out
    assert (lab / "output/w4/scale/image.ome.tif").exists()
    assert call("validate", plate, "--sample", "w2").code == 0
    assert call("run", plate, "--sample", "w3").code == 2


def test_several_simulated_samples(tmp_path, call):
    answer = call(
        "sample", tmp_path / "demo", "--samples", 3, "--frames", 2, "--size", 64, "--tcells", 1,
        "--cancer-cells", 2,
    )  # fmt: skip
    assert answer.code == 0
    table = tmp_path / "demo" / "samples.csv"
    assert answer.out.splitlines()[-1] == str(table)
    assert table.read_text().splitlines() == [
        "sample,treatment,donor",
        "control_1,control,1",
        "treated_1,treated,1",
        "control_2,control,2",
    ]
    images = {
        (tmp_path / "demo" / n / "cancer.ome.tif").read_bytes() for n in ("control_1", "control_2")
    }
    assert len(images) == 2, "each from a seed of its own"
