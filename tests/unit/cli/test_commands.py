"""Every command: its help, its exit codes, what it prints for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import cyto

COMMANDS = ["run", "validate", "plan", "du", "clean", "doctor", "tasks", "schema", "sample"]
TEXT = """
channels: {t: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 3}, output: true}
  again: {module: MODULE.Scale, inputs: {image: scale}, tags: [last]}
"""


@pytest.fixture
def pipeline(lab):
    return lab.write(TEXT)


@pytest.mark.parametrize("args", [[], *([name] for name in COMMANDS)], ids=["cyto", *COMMANDS])
def test_help_has_examples(args, call):
    answer = call(*args, "--help")
    assert answer.code == 0
    assert "  Examples:\n    cyto " in answer.out
    assert call(*args, "-h").out == answer.out


def test_help_lists_every_command(call):
    answer = call()
    assert answer.code == 0
    assert answer.out == call("--help").out
    for name in COMMANDS:
        assert f"\n  {name} " in answer.out


def test_version(call):
    assert call("--version").out.startswith("cyto, version ")


def test_run(lab, pipeline, call):
    answer = call("run", pipeline)
    assert answer.code == 0
    np.testing.assert_array_equal(
        tifffile.imread(lab / "output/scale/image.ome.tif"), lab.pixels * 3
    )
    assert "scale: started on baremetal" in answer.err
    assert "[2/2]" in answer.err
    assert "Done in" in answer.out
    assert "2 succeeded" in answer.out
    assert str(lab / "output/scale/image.ome.tif") in answer.out
    assert "3 frames, 8 × 9" in answer.out
    again = call("run", pipeline)
    assert again.code == 0
    assert "Nothing was left to do: all 2 nodes were done before." in again.out
    assert str(lab / "output/scale/image.ome.tif") in again.out


def test_run_in_the_older_spelling(lab, pipeline):
    answer = lab.cyto("--pipeline", pipeline, "-v")
    assert answer.code == 0, answer.err
    assert "scale | scaling by 3\n" in answer.err, "with the node's name"
    assert "again | scaling by 2\n" in answer.err


def test_without_verbose_tools_are_not_heard(lab, pipeline):
    answer = lab.cyto("-p", pipeline)
    assert answer.code == 0, answer.err
    assert "scaling by" not in answer.err + answer.out
    assert (lab / "output/logs/scale.log").read_text() == "scaling by 3\n"


def test_main_py(lab, pipeline, tmp_path):
    main = Path(cyto.__file__).parent.parent / "main.py"
    done = subprocess.run(
        [sys.executable, str(main), "-p", str(pipeline)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (lab / "output/scale/image.ome.tif").exists()


def test_run_json(lab, pipeline, call):
    answer = call("run", pipeline, "--json")
    data = json.loads(answer.out)
    assert (data["exit_code"], data["stopped"]) == (0, False)
    assert data["output_dir"] == str(lab / "output")
    assert {n: r["outcome"] for n, r in data["nodes"].items()} == {
        "scale": "succeeded", "again": "succeeded",
    }  # fmt: skip
    assert data["nodes"]["scale"]["findings"][0]["path"] == str(lab / "output/scale/image.ome.tif")


def test_set_only_output_dir_and_jobs(lab, pipeline, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call(
        "run", pipeline, "--set", "tasks.scale.params.factor=5", "--set", "tasks.scale.output=true",
        "--only", "scale", "--output-dir", "mine", "--jobs", "1", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert list(json.loads(answer.out)["nodes"]) == ["scale"]
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "mine/scale/image.ome.tif"), lab.pixels * 5
    )
    assert not (lab / "output").exists()


def test_set_the_path_of_a_channel(lab, pipeline, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(tmp_path / "other.tif", np.ones((4, 5), np.uint16))
    assert call("run", pipeline, "--set", "channels.t.path=other.tif").code == 0
    assert (tifffile.imread(lab / "output/scale/image.ome.tif") == 3).all()


def test_profiles_and_resources(lab, pipeline, call):
    lab.write("execution_configs: {big: {scale: {resources: {cpus: 1}}}}", "res.yaml")
    answer = call("plan", pipeline, "--resources", lab / "res.yaml", "--profile", "big", "--json")
    plan = json.loads(answer.out)
    assert (plan["profile"], plan["profile_reason"]) == ("big", "--profile")
    assert plan["nodes"]["scale"]["resources"]["cpus"] == 1


def test_an_entry_that_addresses_nothing_is_a_warning(lab, pipeline, call):
    lab.write(
        "execution_configs: {p: {scael: {resources: {cpus: 1}}}}\ndefault_profile: p",
        "pipeline-resources.x.yaml",
    )
    for command in ("validate", "plan", "run"):
        answer = call(command, pipeline)
        assert answer.code == 0
        assert "warning: " in answer.err
        assert "did you mean 'scale'?" in answer.err
    data = json.loads(call("validate", pipeline, "--json").out)
    assert data["valid"] is True
    assert "addresses no node" in data["problems"][0]["message"]


def test_failure(lab, call):
    lab.write(
        "tasks:\n  odd: {module: MODULE.WrongRank}\n"
        "  next: {module: MODULE.Scale, inputs: {image: odd.label}}"
    )
    answer = call("run", lab.pipeline)
    assert answer.code == 1
    for part in ("Failed", "odd", "(1, 2, 3, 4)", "logs/odd.log", "1 failed", "1 skipped"):
        assert part in answer.out
    answer = call("run", lab.pipeline, "--json", "--fail-fast")
    assert answer.code == 1
    data = json.loads(answer.out)
    assert data["exit_code"] == 1
    assert data["nodes"]["odd"]["reason"] == "exception"


def test_validate(pipeline, call):
    answer = call("validate", pipeline)
    assert (answer.code, answer.out) == (0, "pipeline.x.yaml: 2 nodes, all right\n")
    assert json.loads(call("validate", pipeline, "--json").out) == {"valid": True, "problems": []}


def test_validate_json_of_what_is_wrong(lab, call):
    lab.write(TEXT.replace("factor", "factr"))
    answer = call("validate", lab.pipeline, "--json")
    assert answer.code == 2
    data = json.loads(answer.out)
    assert data["valid"] is False
    problem = data["problems"][0]
    assert problem["path"] == "tasks.scale.params.factr"
    assert (problem["file"], problem["line"]) == (str(lab.pipeline), 4)
    assert problem["hint"] == "did you mean 'factor'?"


def test_plan(lab, pipeline, call):
    answer = call("plan", pipeline)
    assert answer.code == 0
    for part in ("scale", "again", "Scale", "baremetal", "local", "image: t", "image: scale.image"):
        assert part in answer.out
    assert not (lab / "output").exists()


def test_plan_json(lab, pipeline, call):
    data = json.loads(call("plan", pipeline, "--json").out)
    assert data["channels"] == {"t": {"files": [str(lab / "movie.tif")], "shape": [3, 8, 9]}}
    again = data["nodes"]["again"]
    assert (again["inputs"], again["dependencies"]) == ({"image": "scale.image"}, ["scale"])
    assert again["params"] == {"factor": 2, "mode": "plain"}
    assert (again["environment"], again["launcher"]) == ("baremetal", "local")
    assert again["reason"] == "no entry: bare metal"


def test_plan_mermaid(pipeline, call):
    assert call("plan", pipeline, "--mermaid").out == (
        "graph TD\n"
        '    n0[("t")]\n'
        '    n1["scale<br/>baremetal"]\n'
        "    n0 --> n1\n"
        '    n2["again<br/>baremetal"]\n'
        "    n1 -->|image| n2\n"
    )


def test_plan_says_why(lab, pipeline, call):
    lab.write(
        "execution_configs:\n  h:\n    tag:last:\n      runner: docker\n      image: x:1\n"
        "      resources: {memory: 2Gi, cpus: 3, walltime: 2h}\ndefault_profile: h",
        "pipeline-resources.x.yaml",
    )
    answer = call("plan", pipeline)
    for part in (
        "docker x:1",
        "3 cpu, 2 GiB, 2 h 0 min",
        "tag:last (line 3)",
        "profile h (default",
    ):
        assert part in answer.out


def test_tasks(lab, call):
    answer = call("tasks")
    assert answer.code == 0
    for name in ("Watershed", "CellPose", "RegionFeatures", "PercentileNormalization"):
        assert name in answer.out
    answer = call("tasks", "Watershed")
    for part in (
        "Parameters",
        "diameter_px",
        "number",
        "px",
        "Inputs",
        "image",
        "Outputs",
        "label",
    ):
        assert part in answer.out
    data = json.loads(call("tasks", "Watershed", "--json").out)
    assert data[0]["parameters"]["diameter_px"]["default"] == 20.0
    assert data[0]["outputs"]["label"]["kind"] == "label"
    names = {task["task"].rpartition(".")[2] for task in json.loads(call("tasks", "--json").out)}
    assert {"Watershed", "CellPose"} <= names


def test_tasks_of_ones_own(lab, call, monkeypatch):
    monkeypatch.chdir(lab.folder)
    data = json.loads(call("tasks", f"{lab.module}.Scale", "--json").out)
    assert data[0]["parameters"]["factor"]["unit"] == "times"


@pytest.mark.parametrize(
    ("name", "words"),
    [("Watreshed", "did you mean 'Watershed'?"), ("cyto.segmentation.watershed.Water", "Watershed"),
     ("a..b", "no dotted path")],
)  # fmt: skip
def test_tasks_that_are_not_there(name, words, call):
    answer = call("tasks", name)
    assert answer.code == 2
    assert words in answer.err


@pytest.mark.parametrize("which", ["pipeline", "resources"])
def test_schema(which, call):
    schema = json.loads(call("schema", which).out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert ("tasks" if which == "pipeline" else "execution_configs") in schema["properties"]
    assert call("schema").out == call("schema", "pipeline").out


def test_doctor(call, programs):
    answer = call("doctor")
    assert answer.code == 0
    for part in ("machine", "cpus", "✗ docker: docker is not installed", "✗ apptainer", "✗ slurm"):
        assert part in answer.out
    data = {finding["name"]: finding for finding in json.loads(call("doctor", "--json").out)}
    assert {"machine", "GPU", "docker", "podman", "apptainer", "slurm", "Watershed"} <= set(data)
    assert data["docker"]["fine"] is False
    assert "install docker" in data["docker"]["hint"]


@pytest.mark.parametrize(
    "args", [["--image", "x"], ["--image", "x.sif"], ["--image", "x", "--runner", "podman"]]
)
def test_doctor_of_an_image_that_cannot_be_looked_at(args, call, programs):
    answer = call("doctor", *args)
    assert answer.code == 3
    assert "is not installed" in answer.out
    assert json.loads(call("doctor", *args, "--json").out)[0]["fine"] is False


def test_doctor_of_an_unknown_runner(call):
    answer = call("doctor", "--image", "x", "--runner", "dockr")
    assert answer.code == 3
    assert "did you mean 'docker'?" in answer.out


def test_a_reader_that_has_seen_enough(lab):
    command = f"{sys.executable} {Path(sys.executable).with_name('cyto')} schema | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_our_own_faults_are_said_to_be_ours(lab, pipeline, call, monkeypatch):
    def break_down(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("cyto.engine.planning.make_plan", break_down)
    answer = call("validate", pipeline)
    assert answer.code == 70
    assert "pyCyto itself failed: ZeroDivisionError: a bug" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("CYTO_DEBUG", "1")
    assert "Traceback" in call("validate", pipeline).err


def test_ctrl_c_before_anything_runs(lab, pipeline, call, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("cyto.engine.planning.make_plan", interrupt)
    answer = call("run", pipeline)
    assert (answer.code, answer.err.strip()) == (130, "stopped")


def test_an_output_folder_that_cannot_be_written(lab, pipeline, call):
    (lab / "file").write_text("")
    answer = call("run", pipeline, "-o", lab / "file" / "out")
    assert answer.code in {2, 3}
    assert str(lab / "file") in answer.err
    assert "pyCyto itself failed" not in answer.err


def test_output_is_plain_where_there_is_no_terminal(lab, pipeline):
    lab.environ["TERM"] = "xterm-256color"
    answer = lab.cyto("run", pipeline)
    assert "\x1b[" not in answer.out + answer.err
    assert os.linesep in answer.err


def test_run_json_says_what_is_wrong_with_the_files(lab, call):
    lab.write("tasks: {a: {module: MODULE.NoSuchTask}}")
    answer = call("run", lab.pipeline, "--json")
    assert answer.code == 2
    data = json.loads(answer.out)
    assert data["valid"] is False
    assert data["problems"][0]["path"] == "tasks.a.module"


def test_a_mount_that_is_not_there_is_found_before_anything_runs(lab, pipeline, call):
    lab.write(
        "execution_configs: {here: {default: {runner: docker, image: x, binds: ['/nope:/x']}}}\n",
        "pipeline-resources.x.yaml",
    )
    answer = call("run", pipeline, "--profile", "here")
    assert answer.code == 3
    assert "there is no '/nope' to mount at /x" in answer.err
    assert "pipeline-resources.x.yaml:1" in answer.err
