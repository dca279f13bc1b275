"""The commands that look after the store: plan's reasons, --force, --from, clean, du."""

from __future__ import annotations

import json

import pytest

from cyto.engine.lock import RunLock

TEXT = """
channels: {t: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 3}, output: true}
  again: {module: MODULE.Scale, inputs: {image: scale}}
"""


@pytest.fixture
def pipeline(lab):
    return lab.write(TEXT)


@pytest.fixture
def ran(lab, pipeline, call):
    assert call("run", pipeline).code == 0
    return pipeline


def test_plan_names_the_parameter_and_what_it_touches(ran, call):
    answer = call("plan", ran)
    assert "\nscale cached\nagain cached\n2 nodes: 2 cached\n" in answer.out
    answer = call("plan", ran, "--set", "tasks.scale.params.factor=4")
    assert "\nscale parameter factor 3 → 4\nagain needs scale\n" in answer.out
    assert "2 nodes: 1 to compute, 1 after what they need" in answer.out
    data = json.loads(call("plan", ran, "--set", "tasks.scale.params.factor=4", "--json").out)
    assert {name: (n["state"], n["why"]) for name, n in data["nodes"].items()} == {
        "scale": ("compute", ["parameter factor 3 → 4"]),
        "again": ("needs", ["needs scale"]),
    }


def test_plan_before_the_first_run(pipeline, call):
    answer = call("plan", pipeline)
    assert "\nscale new\nagain new\n2 nodes: 2 to compute\n" in answer.out


def test_plan_where_docker_does_not_answer(lab, ran, call, programs):
    lab.write(
        "execution_configs: {c: {scale: {runner: docker, image: 'x:1'}}}\ndefault_profile: c",
        "pipeline-resources.x.yaml",
    )
    answer = call("plan", ran)
    assert answer.code == 0
    assert "scale unknown: docker is not installed" in answer.out
    programs("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    answer = call("plan", ran)
    assert "scale unknown: docker is installed and its daemon does not answer" in answer.out
    assert "again needs scale" in answer.out
    assert "2 nodes: 1 after what they need, 1 unknown" in answer.out
    programs("docker", '[ "$1" = image ] && exit 1; echo \'{"ServerVersion": "1"}\'')
    assert "scale unknown: there is no docker image 'x:1'" in call("plan", ran).out
    programs("docker", "echo sha256:1")
    assert "scale environment baremetal → docker" in call("plan", ran).out


def test_force_and_from(ran, call):
    assert "1 succeeded, 1 cached" in call("run", ran, "--force", "scale").out
    assert "2 succeeded" in call("run", ran, "--from", "scale").out
    assert "\nscale asked for\nagain cached\n" in call("plan", ran, "--force", "scale").out
    for option in ("--force", "--from"):
        answer = call("run", ran, option, "agin")
        assert answer.code == 2
        assert answer.err == (
            f"error: {option}: there is no node 'agin'\n    did you mean 'again'?\n"
        )


def test_clean_is_a_dry_run_first(lab, ran, call):
    call("run", ran, "--set", "tasks.scale.params.factor=4")
    output = lab / "output"
    before = sorted(output.rglob("*"))
    answer = call("clean", output)
    assert answer.code == 0
    assert "KiB  result of scale\n" in answer.out
    assert "KiB  job folders of run " in answer.out
    assert "Would remove 4 things: " in answer.out
    assert "Add --yes to do it." in answer.out
    assert sorted(output.rglob("*")) == before
    data = json.loads(call("clean", output, "--json").out)
    assert data["removed"] is False
    assert data["size"] == sum(item["size"] for item in data["items"]) > 0
    answer = call("clean", output, "--yes")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1].startswith("Removed 4 things: ")
    assert call("clean", output, "--yes").out == "Nothing to remove.\n"
    assert "Nothing was left to do" in call("run", ran, "--set", "tasks.scale.params.factor=4").out


def test_clean_in_the_current_folder_all_but_outputs(lab, ran, call, monkeypatch):
    monkeypatch.chdir(lab / "output")
    assert call("clean", "--all", "--keep-outputs", "--yes").code == 0
    assert (lab / "output/scale/image.ome.tif").exists()
    assert not list((lab / "output/.cyto/store").glob("??/*"))
    assert "Would remove 1 things" in call("clean", "--all").out


def test_clean_refuses_while_a_run_works_there(lab, ran, call):
    with RunLock(lab / "output/.cyto/lock"):
        for args in ([], ["--yes"]):
            answer = call("clean", lab / "output", *args)
            assert answer.code == 3
            assert "another run works in" in answer.err
    assert call("clean", lab / "output").code == 0


@pytest.mark.parametrize("command", ["clean", "du"])
def test_a_folder_that_is_no_output_folder(command, lab, ran, call):
    answer = call(command, lab.folder)
    assert answer.code == 2
    assert "is no output folder: it has no .cyto" in answer.err
    assert f"did you mean {lab / 'output'}?" in answer.err
    assert not (lab / ".cyto").exists()


@pytest.mark.parametrize("age", ["7", "1.5", "soon", "-3d", "", "7days"])
def test_ages_that_are_none(age, lab, ran, call):
    answer = call("clean", lab / "output", f"--older={age}")
    assert answer.code == 2
    assert "is no age; write 7d, 12h or 30min" in answer.err
    assert call("clean", lab / "output", "--older", "7d").out == "Nothing to remove.\n"


def test_du(lab, ran, call):
    call("run", ran, "--set", "tasks.scale.params.factor=4")
    answer = call("du", lab / "output")
    assert answer.code == 0
    for part in (
        "result of scale", "result of again", "older results", "exported results", "logs",
        "job folders", "records of runs", "together", "cache of all pipelines",
    ):  # fmt: skip
        assert part in answer.out
    data = json.loads(call("du", lab / "output", "--json").out)
    current = [i for i in data["items"] if i["kind"] == "result" and not i["stale"]]
    assert sorted(item["name"] for item in current) == ["again", "scale"]
    assert data["size"] == sum(i["size"] for i in data["items"] if i["kind"] != "cache")
