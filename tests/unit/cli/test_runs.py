"""Runs that are looked at, followed, stopped and taken up from another process."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

PIPELINE = """
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, output: true}
  hold: {module: MODULE.Hold, inputs: {image: scale}}
"""
HOLD = '''

from pathlib import Path
import time
class Hold(PipelineTask):
    """Wait while a file is there."""
    inputs = {"image": Port("image")}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        here = Path(__file__)
        with open(here.with_suffix(".ran"), "a") as file:
            file.write("hold\\n")
        while here.with_name("hold").exists():
            time.sleep(0.02)
        return {"value": 7}
'''


@pytest.fixture
def lab(lab, monkeypatch):
    path = lab / f"{lab.module}.py"
    path.write_text(path.read_text() + HOLD)
    lab.write(PIPELINE)
    monkeypatch.chdir(lab.folder)
    (lab / "hold").touch()
    yield lab
    (lab / "hold").unlink(missing_ok=True)


def ran(lab):
    path = (lab / lab.module).with_suffix(".ran")
    return path.read_text().count("hold") if path.exists() else 0


def until(condition, limit_s=30.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def started(lab):
    (record,) = (lab / "output/.cyto/runs").glob("*/events.jsonl")
    return json.loads(record.read_text().splitlines()[0])


def test_a_detached_run_is_seen_and_followed(lab, call, nothing_left):
    begun = lab.cyto("run", lab.pipeline, "--detach")
    assert begun.code == 0, begun.err
    until(lambda: ran(lab))
    status = json.loads(call("status", "--json").out)
    assert status["state"] == "running"
    assert [node["state"] for node in status["nodes"].values()] == ["succeeded", "running"]
    assert "is running (pid" in call("status").out
    assert call("status", status["run"]).code == 0, "by its id"
    follower = lab.start("wait")
    (lab / "hold").unlink()
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 0, err
    assert "2 succeeded" in out
    assert "hold: succeeded" in err
    assert call("wait").code == 0, "what has ended is told again"
    assert "is done" in call("status", lab / "output").out


def test_a_detached_run_that_cannot_begin_says_why_at_once(lab):
    lab.write("tasks: {a: {module: MODULE.Nothing}}")
    begun = lab.cyto("run", lab.pipeline, "--detach")
    assert begun.code == 2
    assert "Nothing" in begun.err


def test_a_second_run_in_the_same_folder_is_refused_at_once(lab, call, nothing_left):
    assert lab.cyto("run", lab.pipeline, "--detach").code == 0
    again = lab.cyto("run", lab.pipeline, "--detach")
    assert again.code == 3
    assert "another run works in" in again.err
    assert call("cancel").code == 0


def test_cancel_stops_a_run_and_keeps_its_results(lab, call, nothing_left):
    assert lab.cyto("run", lab.pipeline, "--detach").code == 0
    until(lambda: ran(lab))
    answer = call("cancel")
    assert answer.code == 0
    assert "was stopped" in answer.out
    nothing_left()
    assert call("wait").code == 130
    assert call("status").code == 130
    assert "has ended already" in call("cancel").out
    (lab / "hold").unlink()
    again = lab.cyto("run", lab.pipeline)
    assert again.code == 0, again.err
    assert "1 succeeded, 1 cached" in " ".join(again.out.split())


@pytest.mark.parametrize(
    "flags", [(), ("--set", "tasks.scale.params.factor=3"), ("--from", "scale")]
)
def test_wait_takes_up_a_run_that_lost_its_driver(lab, call, nothing_left, flags):
    child = lab.start("run", "pipeline.x.yaml", *flags)
    until(lambda: ran(lab))
    child.kill()
    child.communicate()
    nothing_left()
    status = call("status")
    assert status.code == 3
    assert "'cyto wait' goes on with it" in status.out
    (lab / "hold").unlink()
    waited = lab.cyto("wait", lab / "output")
    assert waited.code == 0, waited.err
    assert "scale: cached" in waited.err, "with what was asked for at first"
    assert "hold: succeeded" in waited.err
    assert started_twice(lab)


def started_twice(lab):
    return len(list((lab / "output/.cyto/runs").glob("*/events.jsonl"))) == 2


def test_cancel_ends_the_record_of_a_run_that_lost_its_driver(lab, call, nothing_left):
    child = lab.start("run", lab.pipeline)
    until(lambda: ran(lab))
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert "had lost its driver" in call("cancel").out
    assert call("status").code == 130


@pytest.mark.parametrize("command", ["status", "wait", "cancel"])
def test_no_such_run(lab, call, command):
    answer = call(command, "nowhere")
    assert answer.code == 3
    assert "neither an output folder nor the id of a run" in answer.err
    (lab / "output/.cyto").mkdir(parents=True)
    assert "nothing has run yet" in call(command).err
